import EscaleCompose
import EscaleCore
import EscaleSystem

extension Gateway {
    /// What has to be given to HAProxy. A certificate that serves already and whose file is now broken goes on as it
    /// was, since nobody is helped by less; the log says so.
    func certificateChanges(_ state: GatewayState) async throws -> [CertificateFiles.Change] {
        guard !CertificateFiles.all(of: state).isEmpty else { return [] }
        return try await blocking { [certificates, log] in try certificates.changes(state, log: log) }
    }

    /// Exchanges certificates of a running HAProxy; connections stay.
    ///
    /// - Throws: `gateway.certificate` where HAProxy doesn't accept one; it keeps what it has then.
    func renew(_ changes: [CertificateFiles.Change]) async throws {
        for change in changes {
            let answer = try await blocking { [process] in
                let name = change.path
                var answer = try process.runtime.ask("set ssl cert \(name) <<\n\(change.text)")
                if answer.contains("Transaction") { answer += try process.runtime.ask("commit ssl cert \(name)") }
                if !answer.contains("Success") { _ = try process.runtime.ask("abort ssl cert \(name)") }
                return answer
            }
            guard answer.contains("Success") else {
                throw EscaleError.badCertificate(
                    change.certificate.certificate, "HAProxy doesn't accept it with the key \(change.certificate.key)",
                    details: [.init("haproxy", answer)])
            }
            try await blocking { [certificates] in try certificates.write(change) }
            log.info("certificate renewed", ["file": change.certificate.certificate])
        }
    }
}
