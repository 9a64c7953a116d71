import EscaleCore
import EscaleYAML

/// The files that services are taken from by `extends: {file: …}`, each read once.
///
/// A class, since all documents of one project share it. Lives for one load.
final class ServiceLibrary {
    let context: LoadContext
    private let interpolates: Bool
    /// By path; `nil` for one that could not be read.
    private var sets: [String: ServiceSet?] = [:]

    init(context: LoadContext, interpolates: Bool) {
        self.context = context
        self.interpolates = interpolates
    }

    /// The services of the file that a field names; `nil` where it can't be read, which is reported once.
    ///
    /// - Parameter scope: What the extending file stands in; its variables count in the other one too.
    func services(of field: Field, for scope: FileScope?) -> ServiceSet? {
        guard let written = field.filledText() else { return nil }
        guard !RemoteReference.matches(written) else {
            field.error(
                "compose.extends.remote",
                "\(field.path): \"\(written)\" is not on this machine; only local files are read",
                hint: "download it and name the file"
            )
            return nil
        }
        let surroundings = context.scope(of: field.position)
        let path = context.absolute(written, in: surroundings.directory) ?? field.resolve(written)
        if let known = sets[path] { return known }
        let set = read(
            path,
            field,
            FileScope(directory: ComposePath.directory(of: path), variables: surroundings.variables)
        )
        sets[path] = set
        return set
    }

    private func read(_ path: String, _ field: Field, _ scope: FileScope) -> ServiceSet? {
        let request = SourceFile.Request(
            code: "compose.extends",
            position: field.position,
            hint: "the path is relative to \(context.scope(of: field.position).directory)"
        )
        guard let file = SourceFile.read(path, as: .extends, in: scope, for: request, context) else {
            return nil
        }
        let interpolation = Interpolation(context: context, file: file, replaces: interpolates)
        let merge = TreeMerge(context: context)
        var root: YAMLNode?
        for document in file.documents {
            let filled = interpolation.apply(to: document)
            root = root.map { merge.merge($0, filled, .file, at: "") } ?? filled
        }
        let empty = YAMLNode(
            .mapping(YAMLMapping([])),
            at: SourcePosition(file: file.shown, line: 1, column: 1)
        )
        return ServiceSet(of: root.flatMap(MergeTags.settled) ?? empty, shown: file.shown, scope, self)
    }
}

/// Files that are fetched from somewhere before they are read, which Escale does not do.
enum RemoteReference {
    static func matches(_ text: String) -> Bool {
        ["://", "git@"].contains(where: text.contains) || text.hasPrefix("github.com/")
    }
}
