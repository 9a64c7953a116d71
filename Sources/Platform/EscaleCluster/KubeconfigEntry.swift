import EscaleCore
import EscaleSystem
import EscaleYAML
import FoundationEssentials

/// One mapping of a kubeconfig, read key by key. What is wrong with it goes to the notes, which all entries share.
///
/// A note never has a line of the file in it: tokens and keys stand there.
struct KubeconfigEntry {
    let node: YAMLNode
    /// The file's, where relative paths begin.
    let directory: String
    /// Such as `the user "ana"`.
    let title: String
    let notes: KubeconfigNotes

    subscript(key: String) -> YAMLNode? {
        guard let value = node.mapping?[key], !value.isNull else { return nil }
        return value
    }

    func position(of key: String) -> SourcePosition { self[key]?.position ?? node.position }

    /// `nil` for an empty one too.
    func text(_ key: String) -> String? {
        guard let value = self[key] else { return nil }
        guard let text = value.scalar?.text else {
            notes.add("\(key) of \(title) has to be a text", at: value.position)
            return nil
        }
        return text.isEmpty ? nil : text
    }

    func flag(_ key: String) -> Bool {
        guard let value = self[key] else { return false }
        guard case .bool(let flag) = value.resolved else {
            notes.add("\(key) of \(title) has to be true or false", at: value.position)
            return false
        }
        return flag
    }

    func items(_ key: String) -> [YAMLNode] {
        guard let value = self[key] else { return [] }
        guard let items = value.sequence else {
            notes.add("\(key) of \(title) has to be a list", at: value.position)
            return []
        }
        return items
    }

    func texts(_ key: String) -> [String] {
        items(key).compactMap { item in
            if item.scalar == nil { notes.add("\(key) of \(title) has to be a list of texts", at: item.position) }
            return item.scalar?.text
        }
    }

    func entry(_ key: String) -> Self? {
        guard let value = self[key] else { return nil }
        guard value.mapping != nil else {
            notes.add("\(key) of \(title) has to be a mapping", at: value.position)
            return nil
        }
        return Self(node: value, directory: directory, title: "\(key) of \(title)", notes: notes)
    }

    // MARK: Files and what can stand for them

    /// A path that is meant from the file's directory.
    func path(_ key: String) -> String? { text(key).map { $0.hasPrefix("/") ? $0 : "\(directory)/\($0)" } }

    /// What `KEY-data` holds, else the path in `KEY`, which has to lead to such a text.
    func pem(_ key: String) -> (text: [UInt8]?, path: String?) {
        if let inside = text("\(key)-data") {
            // Line breaks are fine, as in any base64 of PEM's.
            let data = Data(base64Encoded: inside.filter { !$0.isWhitespace }).map { Array($0) }
            if data.map({ !Self.isPEM($0) }) ?? true {
                notes.add("\(key)-data of \(title) is \(data == nil ? "not base64" : "no PEM text")", at: position(of: "\(key)-data"))
            }
            return (data, nil)
        }
        guard let path = path(key) else { return (nil, nil) }
        do {
            if !Self.isPEM(try Files.read(path)) { notes.add("\(path) is no PEM text", at: position(of: key)) }
        } catch {
            notes.add("\(key) of \(title): \(error.message)", at: position(of: key))
        }
        return (nil, path)
    }

    private static func isPEM(_ bytes: [UInt8]) -> Bool { String(decoding: bytes, as: UTF8.self).contains("-----BEGIN ") }

    // MARK: What nobody reads

    /// A warning for each key but these.
    func warnOfOthers(than known: Set<String>) {
        for pair in node.mapping?.pairs ?? [] where !known.contains(pair.key) {
            notes.warnings.append("\(pair.keyPosition): \(title) has \(pair.key), which nothing reads")
        }
    }
}

/// What is wrong with a kubeconfig, all of it.
final class KubeconfigNotes {
    private var problems: [(message: String, hint: String?)] = []
    var warnings: [String] = []

    func add(_ message: String, at position: SourcePosition?, hint: String? = nil) {
        let message = position.map { "\($0): \(message)" } ?? message
        if !problems.contains(where: { $0.message == message }) { problems.append((message, hint)) }
    }

    /// The error of everything that was noted, and of this.
    func failure(_ message: String, at position: SourcePosition? = nil, hint: String? = nil) -> EscaleError {
        add(message, at: position, hint: hint)
        return failure() ?? .clusterConfig(message, hint: hint)
    }

    func check() throws(EscaleError) {
        if let failure = failure() { throw failure }
    }

    private func failure() -> EscaleError? {
        guard let first = problems.first else { return nil }
        let others = problems.dropFirst().map(\.message).joined(separator: "\n")
        return EscaleError(
            .clusterConfig, first.message, hint: problems.lazy.compactMap(\.hint).first,
            details: others.isEmpty ? [] : [.init("and", others)])
    }
}
