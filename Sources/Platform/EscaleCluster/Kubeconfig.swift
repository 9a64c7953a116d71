import EscaleCore
import EscaleHTTP
import EscaleSystem
import EscaleYAML
import FoundationEssentials

/// Where a cluster is and who one is there, from kubeconfig files (v1, kind Config) as kubectl reads them.
///
/// Read are `$KUBECONFIG`'s files, merged so that the first one that names something counts, else `~/.kube/config`, else what a pod
/// finds in its service account. Not understood, and refused: `auth-provider`, which clients gave up in favour of `exec`.
package struct Kubeconfig: Sendable {
    package struct Selection: Sendable {
        /// A file instead of those of the environment.
        package var file: String?
        /// A context instead of the current one.
        package var context: String?

        package init(file: String? = nil, context: String? = nil) {
            self.file = file
            self.context = context
        }
    }

    /// One kubeconfig file.
    private struct File {
        let root: YAMLNode
        let directory: String
    }

    private let files: [File]

    /// How to reach the cluster that the selection names.
    ///
    /// - Throws: `cluster.config` with file, line and column of what is wrong.
    package static func access(_ selection: Selection, environment: [String: String], workingDirectory: String) throws -> ClusterAccess {
        let listed = selection.file.map { [$0] } ?? (environment["KUBECONFIG"] ?? "").split(separator: ":").map(String.init)
        let usual = environment["HOME"].map { "\($0)/.kube/config" }
        var paths = listed.map { $0.hasPrefix("/") ? $0 : "\(workingDirectory)/\($0)" }
        if paths.isEmpty, let usual, Files.exists(usual) { paths = [usual] }
        if paths.isEmpty, let inside = try ClusterAccess.ofPod(environment) { return inside }
        // A file of a list may be missing, as with kubectl; the only one may not.
        let present = selection.file == nil ? paths.filter(Files.exists) : paths
        guard !present.isEmpty else {
            throw EscaleError.clusterConfig(
                paths.isEmpty ? "there is no kubeconfig: neither KUBECONFIG nor ~/.kube/config" : "there is no kubeconfig at \(paths.joined(separator: ", "))",
                hint: "name one with --kubeconfig FILE")
        }
        return try Kubeconfig(present).access(context: selection.context)
    }

    private init(_ paths: [String]) throws {
        files = try paths.map { path in
            let (root, diagnostics) = YAMLDocument.parse(bytes: try Files.read(path), file: path)
            guard let root, root.mapping != nil, !diagnostics.hasErrors else {
                throw EscaleError(.clusterConfig, "the kubeconfig \(path) can't be read", diagnostics: diagnostics)
            }
            return File(root: root, directory: String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]))
        }
    }

    // MARK: Entries

    private struct Entry {
        let node: YAMLNode
        let file: File

        subscript(key: String) -> YAMLNode? {
            guard let value = node.mapping?[key], !value.isNull else { return nil }
            return value
        }

        func text(_ key: String) -> String? {
            guard let text = self[key]?.scalar?.text, !text.isEmpty else { return nil }
            return text
        }

        func flag(_ key: String) -> Bool { self[key]?.resolved == .bool(true) }

        /// A path that is meant from the file's directory.
        func path(_ key: String) -> String? { text(key).map { $0.hasPrefix("/") ? $0 : "\(file.directory)/\($0)" } }

        func data(_ key: String) throws -> [UInt8]? {
            guard let text = text(key) else { return nil }
            guard let data = Data(base64Encoded: text) else {
                throw EscaleError.clusterConfig("\(key) is not base64", at: self[key]?.position)
            }
            return Array(data)
        }
    }

    /// The entry of a list such as `clusters`, by its name.
    private func entry(_ name: String, in list: String, as kind: String) throws -> Entry {
        var names: [String] = []
        for file in files {
            for item in file.root.mapping?[list]?.sequence ?? [] {
                guard let own = item.mapping?["name"]?.scalar?.text else { continue }
                names.append(own)
                if own == name, let node = item.mapping?[kind], node.mapping != nil || node.isNull { return Entry(node: node, file: file) }
            }
        }
        throw EscaleError.clusterConfig(
            "the kubeconfig has no \(kind) \"\(name)\"", hint: names.isEmpty ? nil : "it has \(names.joined(separator: ", "))")
    }

    private func access(context wanted: String?) throws -> ClusterAccess {
        let current = files.lazy.compactMap { $0.root.mapping?["current-context"]?.scalar?.text }.first { !$0.isEmpty }
        guard let name = wanted ?? current else {
            throw EscaleError.clusterConfig("the kubeconfig has no current context", hint: "choose one with --context NAME")
        }
        let context = try entry(name, in: "contexts", as: "context")
        guard let clusterName = context.text("cluster") else {
            throw EscaleError.clusterConfig("the context \"\(name)\" names no cluster", at: context.node.position)
        }
        let cluster = try entry(clusterName, in: "clusters", as: "cluster")
        guard let text = cluster.text("server"), let server = HTTPURL(text) else {
            throw EscaleError.clusterConfig(
                "the cluster \"\(clusterName)\" has no URL of a server", at: cluster["server"]?.position ?? cluster.node.position,
                hint: "such as server: https://10.0.0.1:6443")
        }
        for key in ["proxy-url", "tls-server-name"] where cluster[key] != nil {
            throw EscaleError.clusterConfig("\(key) is not supported yet", at: cluster[key]?.position)
        }
        var trust = TLSTrust()
        trust.verifies = !cluster.flag("insecure-skip-tls-verify")
        trust.authority = cluster.path("certificate-authority")
        trust.authorityText = try cluster.data("certificate-authority-data")
        trust.isExclusive = trust.authority != nil || trust.authorityText != nil
        if trust.authorityText != nil { trust.authority = nil }
        var access = ClusterAccess(server: server, trust: trust, context: name)
        if let user = context.text("user") { try add(try entry(user, in: "users", as: "user"), to: &access) }
        return access
    }

    private func add(_ user: Entry, to access: inout ClusterAccess) throws {
        // Without it one would have more rights than the file gives.
        for key in ["as", "as-uid", "as-groups", "as-user-extra"] where user[key] != nil {
            throw EscaleError.clusterConfig("\(key) is not supported yet", at: user[key]?.position, hint: "use a context whose user acts as itself")
        }
        if let provider = user["auth-provider"] {
            throw EscaleError.clusterConfig(
                "auth-provider is no longer a way in: clients gave it up", at: provider.position,
                hint: "write an `exec` section; your provider's tool does it, such as `aws eks update-kubeconfig`")
        }
        access.trust.certificateText = try user.data("client-certificate-data")
        access.trust.keyText = try user.data("client-key-data")
        if access.trust.certificateText == nil { access.trust.certificate = user.path("client-certificate") }
        if access.trust.keyText == nil { access.trust.key = user.path("client-key") }
        let hasCertificate = access.trust.certificate != nil || access.trust.certificateText != nil
        let hasKey = access.trust.key != nil || access.trust.keyText != nil
        if hasCertificate != hasKey {
            throw EscaleError.clusterConfig("a client certificate needs its key, and a key its certificate", at: user.node.position)
        }
        if let file = user.path("tokenFile") {
            access.credential = .tokenFile(file)
        } else if let token = user.text("token") {
            access.credential = .token(token)
        } else if let name = user.text("username"), let password = user.text("password") {
            access.credential = .basic(name, password)
        } else if let exec = user["exec"] {
            access.credential = .exec(try plugin(Entry(node: exec, file: user.file)))
        }
    }

    private func plugin(_ exec: Entry) throws -> ExecPlugin {
        guard let command = exec.text("command") else {
            throw EscaleError.clusterConfig("exec has no command", at: exec.node.position)
        }
        let version = exec.text("apiVersion") ?? ""
        guard ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"].contains(version) else {
            throw EscaleError.clusterConfig(
                "exec speaks \"\(version)\"", at: exec["apiVersion"]?.position ?? exec.node.position,
                hint: "it has to be client.authentication.k8s.io/v1 or v1beta1")
        }
        var plugin = ExecPlugin(apiVersion: version, command: command)
        // A path is meant from the file; a plain name is looked for.
        if command.contains("/"), !command.hasPrefix("/") { plugin.command = "\(exec.file.directory)/\(command)" }
        plugin.arguments = exec["args"]?.sequence?.compactMap { $0.scalar?.text } ?? []
        for item in exec["env"]?.sequence ?? [] {
            guard let name = item.mapping?["name"]?.scalar?.text, let value = item.mapping?["value"]?.scalar?.text else { continue }
            plugin.environment[name] = value
        }
        plugin.hint = exec.text("installHint")
        return plugin
    }
}

extension EscaleError.Code {
    static let clusterConfig = Self("cluster.config")
}

extension EscaleError {
    static func clusterConfig(_ message: String, at position: SourcePosition? = nil, hint: String? = nil) -> Self {
        Self(.clusterConfig, position.map { "\($0): \(message)" } ?? message, hint: hint)
    }
}
