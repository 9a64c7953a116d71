package import EscaleHTTP
import EscaleSystem

/// Where a cluster's API is, whom to believe, and who one is.
package struct ClusterAccess: Sendable {
    package enum Credential: Sendable, Hashable {
        case token(String)
        /// Read anew for each request: kubelets exchange it.
        case tokenFile(String)
        case basic(String, String)
        case exec(ExecPlugin)
    }

    /// Whom one acts for, by a right to do so.
    package struct Impersonation: Sendable, Hashable {
        package var user: String
        package var uid: String?
        package var groups: [String] = []
        package var extra: [String: [String]] = [:]

        /// The header fields that say so.
        var fields: [(name: String, value: String)] {
            [("Impersonate-User", user)] + (uid.map { [("Impersonate-Uid", $0)] } ?? []) + groups.map { ("Impersonate-Group", $0) }
                + extra.sorted { $0.key < $1.key }.flatMap { key, values in values.map { ("Impersonate-Extra-\(Self.escaped(key))", $0) } }
        }

        /// What can't be in a field's name, and the sign for that, is percent-encoded.
        private static func escaped(_ key: String) -> String {
            key.utf8.map { byte in
                let letter = Character(Unicode.Scalar(byte))
                let isPlain = letter.isASCII && (letter.isLetter || letter.isNumber || "!#$&'*+-.^_`|~".contains(letter))
                return isPlain ? String(letter) : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }.joined()
        }
    }

    package var server: HTTPURL
    package var trust: TLSTrust
    package var credential: Credential?
    package var impersonation: Impersonation?
    /// On the way to the server; `nil` for those of the environment.
    package var proxy: HTTPProxy?
    /// The context's name, for people.
    package var context: String
    /// What of the kubeconfig nothing reads, for people.
    package var warnings: [String] = []

    package init(server: HTTPURL, trust: TLSTrust, context: String) {
        self.server = server
        self.trust = trust
        self.context = context
    }

    /// What a pod has of its service account; `nil` outside of pods.
    static func ofPod(_ environment: [String: String], _ directory: String) -> Self? {
        guard let host = environment["KUBERNETES_SERVICE_HOST"], let port = environment["KUBERNETES_SERVICE_PORT"].flatMap({ UInt16($0) }),
            Files.exists("\(directory)/token")
        else { return nil }
        var trust = TLSTrust()
        trust.authority = "\(directory)/ca.crt"
        trust.isExclusive = true
        var access = Self(
            server: HTTPURL(isSecure: true, host: host, port: port, target: "/"), trust: trust, context: "in the cluster")
        access.credential = .tokenFile("\(directory)/token")
        return access
    }
}
