import EscaleCluster
import EscaleCore
import EscaleHTTP
import EscaleSystem
import EscaleTestExpectations
import EscaleTestSupport
import Testing

@Suite struct KubeconfigTests {
    private static let pem = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"
    /// The same in base64.
    private static let data = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1BPT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="

    /// The access that a file gives, with these beside it.
    private func access(_ text: String, context: String? = nil, _ others: [String: String] = [:]) throws -> ClusterAccess {
        let directory = try ScratchDirectory()
        try directory.file("config", text)
        for (name, text) in others { try directory.file(name, text) }
        return try Kubeconfig.access(
            .init(file: "config", context: context), environment: ["HOME": "/nonexistent", "PATH": "/usr/bin:/bin"], workingDirectory: directory.path)
    }

    // MARK: What is read

    @Test func theLeastThatIsPossible() throws {
        let access = try access(KubeconfigText().text)
        #expect(access.context == "shop")
        #expect(access.server == HTTPURL("https://a.example:6443"))
        #expect(access.trust == TLSTrust())
        #expect(access.credential == nil)
        #expect(access.proxy == nil)
        #expect(access.impersonation == nil)
        #expect(access.warnings.isEmpty)
    }

    struct Good: Sendable, CustomTestStringConvertible {
        let name: String
        var cluster = "server: https://a.example:6443"
        var user = ""
        let isRead: @Sendable (ClusterAccess) -> Bool
        var testDescription: String { name }
    }

    @Test(arguments: [
        Good(name: "path", cluster: "server: https://rancher.example/k8s/clusters/c-1") { $0.server.target == "/k8s/clusters/c-1" },
        Good(name: "plain", cluster: "server: http://[::1]:8080") { !$0.server.isSecure && $0.server.host == "::1" },
        Good(name: "authority", cluster: "server: https://a\ncertificate-authority-data: \(data)") {
            $0.trust.authorityText == Array(pem.utf8) && $0.trust.isExclusive && $0.trust.verifies
        },
        Good(name: "authority over several lines", cluster: "server: https://a\ncertificate-authority-data: |\n  \(data.prefix(20))\n  \(data.dropFirst(20))") {
            $0.trust.authorityText == Array(pem.utf8)
        },
        Good(name: "authority file", cluster: "server: https://a\ncertificate-authority: pki/ca.crt") {
            $0.trust.authority?.hasSuffix("/pki/ca.crt") == true && $0.trust.authority?.hasPrefix("/tmp/") == true && $0.trust.isExclusive
        },
        Good(name: "data wins", cluster: "server: https://a\ncertificate-authority: missing\ncertificate-authority-data: \(data)") {
            $0.trust.authorityText != nil && $0.trust.authority == nil
        },
        Good(name: "insecure", cluster: "server: https://a\ninsecure-skip-tls-verify: true") { !$0.trust.verifies && !$0.trust.isExclusive },
        Good(name: "server name", cluster: "server: https://10.0.0.1\ntls-server-name: kubernetes") { $0.trust.serverName == "kubernetes" },
        Good(name: "proxy", cluster: "server: https://a\nproxy-url: socks5://p:1080") { $0.proxy == HTTPProxy("socks5://p:1080") && $0.proxy != nil },
        Good(name: "certificate", user: "client-certificate-data: \(data)\nclient-key-data: \(data)") {
            $0.trust.certificateText == Array(pem.utf8) && $0.trust.keyText == Array(pem.utf8) && $0.credential == nil
        },
        Good(name: "certificate files", user: "client-certificate: pki/ca.crt\nclient-key: pki/ca.crt") { $0.trust.key?.hasSuffix("/pki/ca.crt") == true },
        Good(name: "one of each", user: "client-certificate: pki/ca.crt\nclient-key-data: \(data)") {
            $0.trust.certificate != nil && $0.trust.keyText != nil && $0.trust.key == nil
        },
        Good(name: "token", user: "token: abc") { $0.credential == .token("abc") },
        Good(name: "number as token", user: "token: 12345") { $0.credential == .token("12345") },
        Good(name: "empty token", user: "token: ''") { $0.credential == nil },
        Good(name: "token file wins", user: "token: abc\ntokenFile: pki/ca.crt") {
            if case .tokenFile(let path) = $0.credential { path.hasSuffix("/pki/ca.crt") } else { false }
        },
        Good(name: "password", user: "username: a\npassword: b") { $0.credential == .basic("a", "b") },
        Good(name: "user name alone", user: "username: a") { $0.credential == .basic("a", "") },
        Good(name: "acting for", user: "token: t\nas: jane\nas-groups: [dev, ops]\nas-uid: '7'\nas-user-extra: {a/b: [c, d]}") {
            $0.impersonation?.user == "jane" && $0.impersonation?.groups == ["dev", "ops"] && $0.impersonation?.uid == "7"
                && $0.impersonation?.extra == ["a/b": ["c", "d"]]
        },
        Good(
            name: "program",
            user: """
                exec:
                  apiVersion: client.authentication.k8s.io/v1
                  command: login
                  args: [get, 5]
                  env: [{name: A, value: b}, {name: C}]
                  interactiveMode: IfAvailable
                  installHint: install it
                """
        ) {
            guard case .exec(let plugin) = $0.credential else { return false }
            return plugin.command == "login" && plugin.arguments == ["get", "5"] && plugin.environment == ["A": "b", "C": ""]
                && plugin.hint == "install it" && plugin.apiVersion == "client.authentication.k8s.io/v1"
        },
        Good(name: "program beside the file", user: "exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: ./login}") {
            guard case .exec(let plugin) = $0.credential else { return false }
            return plugin.command.hasPrefix("/tmp/") && plugin.command.hasSuffix("/./login")
        },
    ])
    func reads(good: Good) throws {
        let access = try access(KubeconfigText(cluster: good.cluster, user: good.user).text, ["pki/ca.crt": Self.pem])
        #expect(good.isRead(access), "\(access)")
        #expect(access.warnings.isEmpty, "\(access.warnings)")
    }

    @Test func aFileInJSONIsRead() throws {
        let text = """
            {"kind":"Config","apiVersion":"v1","current-context":"x","clusters":[{"name":"c","cluster":{"server":"https://a"}}],
            "contexts":[{"name":"x","context":{"cluster":"c"}}],"users":null,"preferences":{}}
            """
        #expect(try access(text).server.host == "a")
    }

    @Test func anotherContextIsChosen() throws {
        let text = KubeconfigText().text + "  - name: other\n    context: {cluster: d}\n"
        let clusters = text.replacing("clusters:\n", with: "clusters:\n  - {name: d, cluster: {server: 'https://d'}}\n")
        #expect(try access(clusters, context: "other").server.host == "d")
        #expect(try access(clusters).server.host == "a.example")
    }

    @Test func whatTheContextDoesNotLeadToMayBeWrong() throws {
        let text = KubeconfigText().text.replacing("users:\n", with: "users:\n  - name: broken\n    user: {auth-provider: {name: gcp}, token: [1]}\n")
        #expect(try access(text).credential == nil)
    }

    @Test func aUserMayBeNobody() throws {
        for user in ["users: [{name: u, user: {}}]", "users: [{name: u, user: }]", "users: [{name: u}]"] {
            let text = "current-context: x\nclusters: [{name: c, cluster: {server: 'https://a'}}]\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n"
            #expect(try access(text + user).credential == nil)
        }
    }

    @Test func whatNothingReadsIsSaid() throws {
        var file = KubeconfigText(cluster: "server: https://a\ncertificate-autority: ca.crt", user: "tokn: SECRET\nextensions: []")
        file.context = "namspace: x"
        let warnings = try access("colours: true\n" + file.text).warnings
        let expected = [
            "config:1:1: the kubeconfig has colours", "config:9:7: the cluster \"c\" has certificate-autority",
            "config:13:7: the user \"u\" has tokn", "config:20:7: the context \"shop\" has namspace",
        ]
        for words in expected {
            #expect(warnings.contains { $0.contains("\(words), which nothing reads") }, "\(words) is not in \(warnings)")
        }
        #expect(warnings.count == expected.count)
        #expect(!warnings.joined().contains("SECRET"))
    }

    // MARK: What is refused

    struct Bad: Sendable, CustomTestStringConvertible {
        var text: String?
        var cluster = "server: https://a.example:6443"
        var user = ""
        /// In the rendered error, with the place.
        let words: [String]
        var testDescription: String { words[0] }
    }

    @Test(arguments: [
        Bad(text: "a: [", words: ["config:1:1: "]),
        Bad(text: "a: 1\na: 2", words: ["config:2:1: "]),
        Bad(text: "- a", words: ["config:1:1: a kubeconfig has to be a mapping"]),
        Bad(text: "", words: ["has no current context", "--context"]),
        Bad(text: "# nothing\n", words: ["has no current context"]),
        Bad(text: "apiVersion: apps/v1\nkind: Deployment\n", words: ["config:2:7: this is no kubeconfig: it has Deployment of apps/v1"]),
        Bad(text: "current-context: x\ncontexts: {}", words: ["config:2:11: contexts of the kubeconfig has to be a list", "no context \"x\""]),
        Bad(text: "current-context: x\ncontexts: [{name: a}, {name: b}]", words: ["config:1:18: the kubeconfig has no context \"x\"", "a, b"]),
        Bad(text: "current-context: a\ncontexts: [{name: a}, {name: a}]", words: ["config:2:23: the context \"a\" is there twice"]),
        Bad(
            text: "current-context: a\ncontexts: [{name: a, context: {cluster: z}}]\nclusters: [{name: y}]",
            words: ["config:2:41: the kubeconfig has no cluster \"z\"", "it has y"]),
        Bad(
            text: "current-context: a\ncontexts: [{name: a, context: {cluster: z, user: u}}]\nclusters: [{name: z, cluster: {server: 'https://a'}}]",
            words: ["config:2:50: the kubeconfig has no user \"u\""]),
        Bad(text: "current-context: a\ncontexts: [{name: a}]", words: ["config:2:12: the context \"a\" names no cluster"]),
        Bad(text: "current-context: a\ncontexts: [{name: a, context: 5}]", words: ["config:2:31: the context \"a\" has to be a mapping"]),
        Bad(cluster: "insecure-skip-tls-verify: true", words: ["config:7:7: the cluster \"c\" has no URL of a server"]),
        Bad(cluster: "server: a.example:6443", words: ["config:7:15: the cluster \"c\" has no URL", "https://"]),
        Bad(cluster: "server: [a]", words: ["config:7:15: server of the cluster \"c\" has to be a text"]),
        Bad(
            cluster: "server: https://a\ninsecure-skip-tls-verify: true\ncertificate-authority-data: \(data)",
            words: ["config:8:33: insecure-skip-tls-verify and certificate-authority exclude each other"]),
        Bad(cluster: "server: https://a\ninsecure-skip-tls-verify: maybe", words: ["config:8:33: ", "has to be true or false"]),
        Bad(cluster: "server: https://a\ncertificate-authority: no.crt", words: ["config:8:30: certificate-authority of the cluster \"c\"", "no.crt", "No such file"]),
        Bad(cluster: "server: https://a\ncertificate-authority: config", words: ["config:8:30: ", "config is no PEM text"]),
        Bad(cluster: "server: https://a\ncertificate-authority-data: '%%%'", words: ["config:8:35: certificate-authority-data of the cluster \"c\" is not base64"]),
        Bad(cluster: "server: https://a\ncertificate-authority-data: c2VjcmV0", words: ["certificate-authority-data of the cluster \"c\" is no PEM text"]),
        Bad(cluster: "server: https://a\nproxy-url: ftp://p", words: ["config:8:18: proxy-url is no URL that begins with http://"]),
        Bad(user: "client-certificate-data: \(data)", words: ["a client certificate needs its key"]),
        Bad(user: "client-key-data: \(data)", words: ["a client certificate needs its key"]),
        Bad(user: "client-key-data: U0VDUkVU", words: ["client-key-data of the user \"u\" is no PEM text"]),
        Bad(user: "password: SECRET", words: ["the user \"u\" has a password and no username"]),
        Bad(user: "token: SECRET\nusername: a\npassword: SECRET", words: ["the user \"u\" has both a token and a password"]),
        Bad(user: "token: [SECRET]", words: ["config:11:14: token of the user \"u\" has to be a text"]),
        Bad(user: "tokenFile: nothing", words: ["config:11:18: ", "there is no ", "nothing"]),
        Bad(user: "auth-provider: {name: gcp}", words: ["config:11:22: auth-provider is no longer a way in", "exec"]),
        Bad(user: "exec: x", words: ["config:11:13: exec of the user \"u\" has to be a mapping"]),
        Bad(user: "exec: {command: x}", words: ["exec speaks \"\"", "client.authentication.k8s.io/v1"]),
        Bad(user: "exec: {apiVersion: client.authentication.k8s.io/v1}", words: ["exec has no command"]),
        Bad(user: "exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: x}", words: ["config:11:26: exec speaks", "v1alpha1"]),
        Bad(user: "exec: {apiVersion: client.authentication.k8s.io/v1, command: x, interactiveMode: Always}", words: ["wants a terminal"]),
        Bad(user: "exec: {apiVersion: client.authentication.k8s.io/v1, command: x, interactiveMode: never}", words: ["interactiveMode has to be"]),
        Bad(user: "exec: {apiVersion: client.authentication.k8s.io/v1, command: x, env: [SECRET]}", words: ["an entry of env needs a name"]),
        Bad(user: "exec: {apiVersion: client.authentication.k8s.io/v1, command: x, args: [[SECRET]]}", words: ["args of exec of the user \"u\" has to be a list of texts"]),
        Bad(user: "as-groups: [a]", words: ["config:11:18: as-groups of the user \"u\" needs as"]),
        Bad(user: "as: a\nas-groups: b", words: ["as-groups of the user \"u\" has to be a list"]),
    ])
    func refuses(bad: Bad) async throws {
        let text = bad.text ?? KubeconfigText(cluster: bad.cluster, user: bad.user).text
        let error = await expectError(.clusterConfig) { _ = try access(text) }
        // The command line shows the lines that diagnostics are about.
        let shown = error?.rendered(sources: { _ in Array(repeating: "SECRET", count: 99) }) ?? ""
        for words in bad.words { #expect(shown.contains(words), "\(words) is not in:\n\(shown)") }
        #expect(!shown.contains("SECRET"), "\(shown)")
    }

    @Test func allProblemsAreToldAtOnce() async throws {
        let text = KubeconfigText(cluster: "server: https://a\nproxy-url: y\ninsecure-skip-tls-verify: 1", user: "token: {}\nas-uid: x").text
        await expectError(.clusterConfig, "config:8:18: ", "config:9:33: ", "config:13:14: ", "config:14:15: ") { _ = try access(text) }
    }

    // MARK: Where it is looked for

    @Test func theFirstFileThatNamesSomethingCounts() throws {
        let directory = try ScratchDirectory()
        try directory.file("one", "current-context: x\nclusters: [{name: c, cluster: {server: 'https://one'}}]\n")
        try directory.file(
            "sub/two",
            """
            current-context: y
            clusters: [{name: c, cluster: {server: 'https://two', insecure-skip-tls-verify: true}}, {name: d, cluster: {server: 'https://d'}}]
            contexts: [{name: x, context: {cluster: c}}, {name: y, context: {cluster: d, user: u}}]
            users: [{name: u, user: {tokenFile: t}}]
            """)
        try directory.file("sub/t", "token")
        try directory.file("empty", "")
        func access(_ files: [String], context: String? = nil) throws -> ClusterAccess {
            try Kubeconfig.access(.init(context: context), environment: ["KUBECONFIG": files.joined(separator: ":")], workingDirectory: directory.path)
        }
        let list = ["empty", "", directory("missing"), "one", directory("sub/two"), "one"]
        let first = try access(list)
        #expect(first.context == "x")
        #expect(first.server.host == "one")
        // Nothing of the second one's entry with the same name.
        #expect(first.trust.verifies)
        let other = try access(list, context: "y")
        #expect(other.server.host == "d")
        #expect(other.credential == .tokenFile(directory("sub/t")))
        #expect(try access(["sub/two", "one"]).context == "y")
    }

    @Test func theHomeDirectoryHasAFile() throws {
        let directory = try ScratchDirectory()
        try directory.file(".kube/config", KubeconfigText().text)
        for environment in [["HOME": directory.path], ["HOME": directory.path, "KUBECONFIG": ""]] {
            #expect(try Kubeconfig.access(.init(), environment: environment, workingDirectory: "/").context == "shop")
        }
    }

    @Test func nothingAnywhereIsSaid() async throws {
        let directory = try ScratchDirectory()
        func find(_ environment: [String: String], file: String? = nil) throws {
            _ = try Kubeconfig.access(
                .init(file: file), environment: environment, workingDirectory: directory.path, serviceAccount: directory("account"))
        }
        await expectError(.clusterConfig, "neither KUBECONFIG nor ~/.kube/config", "--kubeconfig") { try find([:]) }
        await expectError(.clusterConfig, "neither KUBECONFIG nor ~/.kube/config") { try find(["HOME": directory.path]) }
        await expectError(.clusterConfig, "there is no kubeconfig at /no/a, \(directory.path)/b") { try find(["KUBECONFIG": "/no/a:b"]) }
        for file in ["/no/file", directory.path] { #expect(throws: EscaleError.self) { try find([:], file: file) } }
    }

    @Test func aPodFindsItsOwnCluster() async throws {
        let directory = try ScratchDirectory()
        try directory.file("token", "abc\n")
        let environment = ["KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443", "HOME": directory.path]
        func find(context: String? = nil) throws -> ClusterAccess {
            try Kubeconfig.access(.init(context: context), environment: environment, workingDirectory: "/", serviceAccount: directory.path)
        }
        let access = try find()
        #expect(access.server.host == "fd00::1")
        #expect(access.credential == .tokenFile(directory("token")))
        #expect(access.trust.authority == directory("ca.crt") && access.trust.isExclusive)
        await expectError(.clusterConfig, "there is no kubeconfig") { _ = try find(context: "x") }
    }
}
