import EscaleCore
import EscaleHTTP
import EscaleSystem
import EscaleYAML
import FoundationEssentials

/// Where a cluster is and who one is there, from kubeconfig files (v1, kind Config) as kubectl reads them.
///
/// Read are `$KUBECONFIG`'s files, merged so that the first one that names something counts, else `~/.kube/config`, else what a pod
/// finds in its service account. Not understood, and refused: `auth-provider`, which clients gave up in favour of `exec`. What the
/// chosen context doesn't lead to is not looked at.
package struct Kubeconfig {
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

    private let files: [KubeconfigEntry]
    private let notes: KubeconfigNotes

    /// How to reach the cluster that the selection names.
    ///
    /// - Parameter serviceAccount: where a pod has its own.
    /// - Throws: `cluster.config` with file, line and column of all that is wrong.
    package static func access(
        _ selection: Selection, environment: [String: String], workingDirectory: String,
        serviceAccount: String = "/var/run/secrets/kubernetes.io/serviceaccount"
    ) throws -> ClusterAccess {
        let listed = selection.file.map { [$0] } ?? (environment["KUBECONFIG"] ?? "").split(separator: ":").map(String.init)
        let usual = environment["HOME"].map { "\($0)/.kube/config" }
        var paths = listed.map { $0.hasPrefix("/") ? $0 : "\(workingDirectory)/\($0)" }
        if paths.isEmpty, let usual, Files.exists(usual) { paths = [usual] }
        if paths.isEmpty, selection.context == nil, let inside = ClusterAccess.ofPod(environment, serviceAccount) { return inside }
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
        let notes = KubeconfigNotes()
        var files: [KubeconfigEntry] = []
        for path in paths {
            let (root, diagnostics) = YAMLDocument.parse(bytes: try Files.read(path), file: path)
            for problem in diagnostics where problem.severity == .error { notes.add(problem.message, at: problem.position, hint: problem.hint) }
            // An empty file says nothing.
            guard let root else { continue }
            guard root.mapping != nil else {
                notes.add("a kubeconfig has to be a mapping", at: root.position)
                continue
            }
            let file = KubeconfigEntry(
                node: root, directory: String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]), title: "the kubeconfig", notes: notes)
            if file.text("kind") ?? "Config" != "Config" || file.text("apiVersion") ?? "v1" != "v1" {
                notes.add(
                    "this is no kubeconfig: it has \(file.text("kind") ?? "Config") of \(file.text("apiVersion") ?? "v1"), not Config of v1",
                    at: file.position(of: file.text("kind") ?? "Config" == "Config" ? "apiVersion" : "kind"))
            }
            file.warnOfOthers(than: ["apiVersion", "kind", "preferences", "clusters", "users", "contexts", "current-context", "extensions"])
            files.append(file)
        }
        try notes.check()
        self.files = files
        self.notes = notes
    }

    // MARK: Entries

    /// The entry of a list such as `clusters`, by its name, in the first file that has it.
    ///
    /// - Parameter position: where it is asked for.
    private func entry(_ name: String, in list: String, as kind: String, at position: SourcePosition?) throws -> KubeconfigEntry {
        var names: [String] = []
        for file in files {
            var found: KubeconfigEntry?
            for item in file.items(list) {
                guard let own = item.mapping?["name"]?.scalar?.text else { continue }
                names.append(own)
                guard own == name else { continue }
                if found != nil { notes.add("the \(kind) \"\(name)\" is there twice", at: item.position) }
                // Without anything in it, such as a user who is nobody, it is there all the same.
                var content = YAMLNode(.mapping(YAMLMapping([])), at: item.position)
                if let node = item.mapping?[kind], !node.isNull {
                    if node.mapping == nil { notes.add("the \(kind) \"\(name)\" has to be a mapping", at: node.position) }
                    content = node
                }
                found = found ?? KubeconfigEntry(node: content, directory: file.directory, title: "the \(kind) \"\(name)\"", notes: notes)
            }
            if let found { return found }
        }
        throw notes.failure(
            "the kubeconfig has no \(kind) \"\(name)\"", at: position, hint: names.isEmpty ? nil : "it has \(names.joined(separator: ", "))")
    }

    private func access(context wanted: String?) throws -> ClusterAccess {
        let current = files.lazy.compactMap { file in file.text("current-context").map { ($0, file.position(of: "current-context")) } }.first
        guard let name = wanted ?? current?.0 else {
            throw notes.failure("the kubeconfig has no current context", hint: "choose one with --context NAME")
        }
        let context = try entry(name, in: "contexts", as: "context", at: wanted == nil ? current?.1 : nil)
        context.warnOfOthers(than: ["cluster", "user", "namespace", "extensions"])
        guard let clusterName = context.text("cluster") else {
            throw notes.failure("the context \"\(name)\" names no cluster", at: context.node.position)
        }
        let cluster = try entry(clusterName, in: "clusters", as: "cluster", at: context.position(of: "cluster"))
        guard let text = cluster.text("server"), let server = HTTPURL(text) else {
            throw notes.failure(
                "the cluster \"\(clusterName)\" has no URL of a server", at: cluster.position(of: "server"),
                hint: "such as server: https://10.0.0.1:6443")
        }
        var access = ClusterAccess(server: server, trust: TLSTrust(), context: name)
        add(cluster, to: &access)
        if let user = context.text("user") {
            try add(try entry(user, in: "users", as: "user", at: context.position(of: "user")), of: cluster, to: &access)
        }
        try notes.check()
        access.warnings = notes.warnings
        return access
    }

    private func add(_ cluster: KubeconfigEntry, to access: inout ClusterAccess) {
        cluster.warnOfOthers(than: [
            "server", "tls-server-name", "insecure-skip-tls-verify", "certificate-authority", "certificate-authority-data", "proxy-url",
            "disable-compression", "extensions",
        ])
        access.trust.verifies = !cluster.flag("insecure-skip-tls-verify")
        access.trust.serverName = cluster.text("tls-server-name")
        (access.trust.authorityText, access.trust.authority) = cluster.pem("certificate-authority")
        access.trust.isExclusive = access.trust.authority != nil || access.trust.authorityText != nil
        if access.trust.isExclusive, !access.trust.verifies {
            notes.add(
                "insecure-skip-tls-verify and certificate-authority exclude each other", at: cluster.position(of: "insecure-skip-tls-verify"),
                hint: "with the authority's certificate nothing has to be skipped")
        }
        if let text = cluster.text("proxy-url") {
            access.proxy = HTTPProxy(text)
            if access.proxy == nil {
                notes.add("proxy-url is no URL that begins with http://, https:// or socks5://", at: cluster.position(of: "proxy-url"))
            }
        }
    }

    private func add(_ user: KubeconfigEntry, of cluster: KubeconfigEntry, to access: inout ClusterAccess) throws {
        user.warnOfOthers(than: [
            "client-certificate", "client-certificate-data", "client-key", "client-key-data", "token", "tokenFile", "username", "password", "exec",
            "auth-provider", "as", "as-uid", "as-groups", "as-user-extra", "extensions",
        ])
        if let provider = user["auth-provider"] {
            throw notes.failure(
                "auth-provider is no longer a way in: clients gave it up", at: provider.position,
                hint: "write an `exec` section; your provider's tool does it, such as `aws eks update-kubeconfig`")
        }
        (access.trust.certificateText, access.trust.certificate) = user.pem("client-certificate")
        (access.trust.keyText, access.trust.key) = user.pem("client-key")
        let hasCertificate = access.trust.certificate != nil || access.trust.certificateText != nil
        let hasKey = access.trust.key != nil || access.trust.keyText != nil
        if hasCertificate != hasKey { notes.add("a client certificate needs its key, and a key its certificate", at: user.node.position) }

        let (name, password, token, file) = (user.text("username"), user.text("password"), user.text("token"), user.path("tokenFile"))
        if let file {
            if !Files.exists(file) { notes.add("tokenFile of \(user.title): there is no \(file)", at: user.position(of: "tokenFile")) }
            access.credential = .tokenFile(file)
        } else if let token {
            access.credential = .token(token)
        } else if let name {
            access.credential = .basic(name, password ?? "")
        } else if let exec = user.entry("exec") {
            access.credential = plugin(exec, cluster, access).map { .exec($0) }
        }
        if name != nil || password != nil, token != nil || file != nil {
            notes.add("\(user.title) has both a token and a password", at: user.node.position, hint: "leave one of them")
        } else if password != nil, name == nil {
            notes.add("\(user.title) has a password and no username", at: user.position(of: "password"))
        }
        access.impersonation = impersonation(user)
    }

    private func impersonation(_ user: KubeconfigEntry) -> ClusterAccess.Impersonation? {
        var other = ClusterAccess.Impersonation(user: user.text("as") ?? "")
        other.uid = user.text("as-uid")
        other.groups = user.texts("as-groups")
        if let extra = user.entry("as-user-extra") {
            for pair in extra.node.mapping?.pairs ?? [] { other.extra[pair.key] = extra.texts(pair.key) }
        }
        guard other.user.isEmpty else { return other }
        for key in ["as-uid", "as-groups", "as-user-extra"] where user[key] != nil {
            notes.add("\(key) of \(user.title) needs as: who one acts for", at: user.position(of: key))
        }
        return nil
    }

    // MARK: Programs

    private func plugin(_ exec: KubeconfigEntry, _ cluster: KubeconfigEntry, _ access: ClusterAccess) -> ExecPlugin? {
        exec.warnOfOthers(than: ["apiVersion", "command", "args", "env", "installHint", "provideClusterInfo", "interactiveMode"])
        let version = exec.text("apiVersion") ?? ""
        if !["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"].contains(version) {
            notes.add(
                "exec speaks \"\(version)\"", at: exec.position(of: "apiVersion"), hint: "it has to be client.authentication.k8s.io/v1 or v1beta1")
        }
        let mode = exec.text("interactiveMode") ?? "IfAvailable"
        if mode == "Always" {
            notes.add("exec wants a terminal, which Escale doesn't give it", at: exec.position(of: "interactiveMode"))
        } else if mode != "Never", mode != "IfAvailable" {
            notes.add("interactiveMode has to be Never, IfAvailable or Always", at: exec.position(of: "interactiveMode"))
        }
        guard let command = exec.text("command") else {
            notes.add("exec has no command", at: exec.node.position)
            return nil
        }
        var plugin = ExecPlugin(apiVersion: version, command: command)
        // A path is meant from the file; a plain name is looked for.
        if command.contains("/"), !command.hasPrefix("/") { plugin.command = "\(exec.directory)/\(command)" }
        plugin.arguments = exec.texts("args")
        for item in exec.items("env") {
            let entry = KubeconfigEntry(node: item, directory: exec.directory, title: "an entry of env", notes: notes)
            if let name = entry.text("name") {
                plugin.environment[name] = entry.text("value") ?? ""
            } else {
                notes.add("an entry of env needs a name", at: item.position)
            }
        }
        plugin.hint = exec.text("installHint")
        if exec.flag("provideClusterInfo") { plugin.cluster = information(cluster, access) }
        return plugin
    }

    /// A cluster as programs are told of it.
    private func information(_ cluster: KubeconfigEntry, _ access: ClusterAccess) -> YAMLValue {
        // Whether the file can be read has been looked at.
        let authority = access.trust.authorityText ?? access.trust.authority.flatMap { try? Files.read($0) }
        let own = cluster.items("extensions").first { $0.mapping?["name"]?.scalar?.text == "client.authentication.k8s.io/exec" }
        return .object([
            "server": cluster.text("server").map { .string($0) }, "tls-server-name": cluster.text("tls-server-name").map { .string($0) },
            "insecure-skip-tls-verify": access.trust.verifies ? nil : true,
            "certificate-authority-data": authority.map { .string(Data($0).base64EncodedString()) }, "proxy-url": cluster.text("proxy-url").map { .string($0) },
            "disable-compression": cluster.flag("disable-compression") ? true : nil, "config": own?.mapping?["extension"].map { YAMLValue($0) },
        ])
    }
}
