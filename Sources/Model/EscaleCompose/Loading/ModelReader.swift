import EscaleCore
import EscaleYAML

/// Puts the files of a project, or of one that is included, together into one tree: each file is interpolated, its
/// `extends` and `include` are carried out, and it is merged over those before it.
struct ModelReader {
    let context: LoadContext
    let interpolates: Bool
    /// What the files stand in; `nil` for the project's own.
    let scope: FileScope?
    /// The files that led here, each including the next.
    let chain: [String]
    private let library: ServiceLibrary

    init(context: LoadContext, interpolates: Bool, scope: FileScope? = nil, chain: [String] = []) {
        self.context = context
        self.interpolates = interpolates
        self.scope = scope
        self.chain = chain
        library = ServiceLibrary(context: context, interpolates: interpolates)
    }

    /// The one tree; `nil` for files that are all empty.
    func tree(of files: [SourceFile]) -> YAMLNode? {
        var tree: YAMLNode?
        for file in files {
            let interpolation = Interpolation(context: context, file: file, replaces: interpolates)
            for document in file.documents where !context.isExhausted {
                var root = interpolation.apply(to: document)
                root = ServiceSet(of: root, shown: file.shown, scope, library).extendedRoot(root)
                root = IncludeReader(reader: self, file: file).included(in: root)
                tree = tree.map { merge(root, over: $0) } ?? root
            }
        }
        guard let tree = tree.flatMap(MergeTags.settled) else { return nil }
        return scope.map { BareVariables.filled(tree, from: $0.variables) } ?? tree
    }

    private func merge(_ later: YAMLNode, over earlier: YAMLNode) -> YAMLNode {
        TreeMerge(context: context).merge(earlier, later, .file, at: "")
    }
}
