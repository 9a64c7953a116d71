/// How much a load may read and make, so that a hostile project costs neither time nor memory.
struct LoadBudget {
    /// What is counted.
    enum Cost {
        /// A compose file, each reading of one.
        case file
        /// Bytes of compose files and environment files.
        case fileBytes(Int)
        /// Values of the compose files as they were read, their aliases expanded.
        case readNodes(Int)
        /// Keys and items that merging writes anew.
        case mergedNodes(Int)
        /// Values of the project once it is merged.
        case projectNodes(Int)
        /// Bytes of text: what comes out of variables and environment files, and the project's once it is merged.
        case text(Int)
    }

    /// Files that include one another in a row; services that extend one another.
    static let depth = 32

    private static let files = 500
    private static let fileBytes = 8 << 20
    private static let nodes = 200_000
    private static let textBytes = 24 << 20

    private var files = 0
    private var fileBytes = 0
    private var readNodes = 0
    private var mergedNodes = 0
    private var textBytes = 0
    private(set) var isExceeded = false

    /// What the project does too much of, the first time that it does; `nil` else.
    mutating func spend(_ cost: Cost) -> String? {
        let excess = add(cost)
        guard let excess, !isExceeded else { return nil }
        isExceeded = true
        return excess
    }

    private mutating func add(_ cost: Cost) -> String? {
        func beyond(_ sum: inout Int, _ more: Int, _ limit: Int) -> Bool {
            sum += more
            return sum > limit
        }
        switch cost {
        case .file: return beyond(&files, 1, Self.files) ? "reads more than \(Self.files) files" : nil
        case .fileBytes(let count):
            return beyond(&fileBytes, count, Self.fileBytes)
                ? "reads more than \(Self.fileBytes >> 20) MiB of files" : nil
        case .readNodes(let count):
            return beyond(&readNodes, count, Self.nodes) ? "has files of more than \(Self.nodes) values" : nil
        case .mergedNodes(let count):
            return beyond(&mergedNodes, count, Self.nodes) ? Self.tooManyMerged : nil
        case .projectNodes(let count): return count > Self.nodes ? Self.tooManyMerged : nil
        case .text(let count):
            return beyond(&textBytes, count, Self.textBytes)
                ? "holds more than \(Self.textBytes >> 20) MiB once it is put together" : nil
        }
    }

    private static let tooManyMerged = "holds more than \(nodes) values once it is merged"
}
