import EscaleCompose
import EscaleCore
import EscaleSystem
import Glibc

/// The PEM files that HAProxy reads: each a chain with its key, which only their owner can read.
struct CertificateFiles: Sendable {
    let directory: String

    /// One whose content is no longer what HAProxy has.
    struct Change: Sendable {
        let certificate: HTTPSettings.Certificate
        let path: String
        let text: String
        /// `nil` where HAProxy never had it.
        let previous: String?
    }

    static func path(of certificate: HTTPSettings.Certificate, in directory: String) -> String {
        "\(directory)/certificates/\(hexadecimal(fnv1a(certificate.certificate + "\0" + certificate.key))).pem"
    }

    /// What differs between the user's files and ours. Blocks.
    ///
    /// - Throws: `gateway.certificate` where a file is missing or holds no PEM of that kind, and HAProxy has none.
    func changes(_ state: GatewayState, log: Log) throws(EscaleError) -> [Change] {
        var changes: [Change] = []
        for certificate in Self.all(of: state) {
            let path = Self.path(of: certificate, in: directory)
            let previous = try? Files.readText(path)  // none: HAProxy never had it
            let text: String
            do {
                text = try Self.combined(certificate)
            } catch {
                guard previous != nil else { throw error }
                log.warning("certificate unreadable, keeping the one before", ["error": error.message])
                continue
            }
            if previous == text { continue }
            changes.append(Change(certificate: certificate, path: path, text: text, previous: previous))
        }
        return changes
    }

    func write(_ change: Change) throws(EscaleError) {
        try Files.createDirectories("\(directory)/certificates", mode: 0o700)
        try Files.replace(change.path, change.text.utf8, mode: 0o600)
    }

    func undo(_ change: Change) throws(EscaleError) {
        if let previous = change.previous {
            try Files.replace(change.path, previous.utf8, mode: 0o600)
        } else {
            try Files.remove(change.path)
        }
    }

    /// Removes what the state no longer names.
    func prune(_ state: GatewayState) throws(EscaleError) {
        let kept = Set(Self.all(of: state).map { Self.path(of: $0, in: directory) })
        for name in try Files.list("\(directory)/certificates") where !kept.contains("\(directory)/certificates/\(name)") {
            try Files.remove("\(directory)/certificates/\(name)")
        }
    }

    /// The user's words for one of our files, in what HAProxy says about it.
    static func named(_ output: String, _ state: GatewayState, _ directory: String) -> HTTPSettings.Certificate? {
        all(of: state).first { output.contains(path(of: $0, in: directory)) }
    }

    static func all(of state: GatewayState) -> [HTTPSettings.Certificate] {
        var seen = Set<HTTPSettings.Certificate>()
        return state.listeners.flatMap { listener -> [HTTPSettings.Certificate] in
            if case .tls(let certificates) = listener.security { certificates } else { [] }
        }.filter { seen.insert($0).inserted }
    }

    /// Without empty lines, at which HAProxy's runtime API would stop.
    private static func combined(_ certificate: HTTPSettings.Certificate) throws(EscaleError) -> String {
        let chain = try read(certificate.certificate, "CERTIFICATE-----")
        let key = try read(certificate.key, "PRIVATE KEY-----")
        let isOne = certificate.certificate == certificate.key
        return (chain + (isOne ? [] : key)).map { $0 + "\n" }.joined()
    }

    private static func read(_ path: String, _ mark: String) throws(EscaleError) -> [Substring] {
        guard Files.exists(path) else { throw .badCertificate(path, "there is no such file") }
        let text = try Files.readText(path)
        guard text.contains(mark) else { throw .badCertificate(path, "it holds no \"-----BEGIN … \(mark)\"") }
        return text.split(whereSeparator: \.isNewline).filter { !$0.allSatisfy(\.isWhitespace) }
    }
}

/// A number for a text that is the same in every process.
private func fnv1a(_ text: String) -> UInt64 {
    text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
}
