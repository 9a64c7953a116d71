/// How much a load may read and make, so that a hostile project costs neither time nor memory.
struct LoadBudget {
    /// Compose files, each reading of one.
    static let files = 500
    /// Bytes of compose files and environment files.
    static let fileBytes = 16 << 20
    /// Values that merging makes, and values of the project once merged.
    static let nodes = 200_000
    /// Bytes of text that comes out of variables, and of the project's scalars once merged.
    static let textBytes = 24 << 20
    /// Files that include one another; services that extend one another.
    static let depth = 32

    private var readFiles = 0
    private var readBytes = 0
    private var madeNodes = 0
    private var madeBytes = 0
    private(set) var isExceeded = false

    /// What the project has too much of, the first time that it has; `nil` else.
    mutating func spend(files: Int = 0, fileBytes: Int = 0, nodes: Int = 0, textBytes: Int = 0) -> String? {
        readFiles += files
        readBytes += fileBytes
        madeNodes += nodes
        madeBytes += textBytes
        let excess: String? =
            if readFiles > Self.files { "reads more than \(Self.files) files" }
            else if readBytes > Self.fileBytes { "reads more than \(Self.fileBytes >> 20) MiB of files" }
            else if madeNodes > Self.nodes { "holds more than \(Self.nodes) values once it is merged" }
            else if madeBytes > Self.textBytes { "holds more than \(Self.textBytes >> 20) MiB once it is put together" }
            else { nil }
        guard let excess, !isExceeded else { return nil }
        isExceeded = true
        return excess
    }
}
