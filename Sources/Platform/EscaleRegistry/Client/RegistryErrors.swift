package import EscaleCore
import EscaleHTTP
import EscaleOCI
import FoundationEssentials

extension EscaleError.Code {
    package static let registryDenied = EscaleError.Code("registry.denied")
    package static let registryNotFound = EscaleError.Code("registry.not-found")
}

extension EscaleError {
    /// What a registry's refusal means, in words.
    ///
    /// - Parameters:
    ///   - what: what was asked for, such as `nginx:1.27` or `blob 4f53cda18c2b of nginx`.
    ///   - isLoggedIn: whether a user's name was sent.
    static func registry(
        _ status: HTTPStatus,
        _ body: [UInt8],
        host: String,
        what: String,
        isLoggedIn: Bool
    ) -> EscaleError {
        let reason = RegistryRefusal.message(in: body).map { ": \($0)" } ?? ""
        switch status.rawValue {
        case 401:
            return EscaleError(
                .registryDenied,
                isLoggedIn
                    ? "\(host) does not accept the user name or the password\(reason)"
                    : "\(host) wants to know who asks for \(what)\(reason)",
                hint: "log in with `escale login \(host)`"
            )
        case 403:
            return EscaleError(
                .registryDenied,
                "\(host) does not allow this with \(what)\(reason)",
                hint: "the user needs the right to it there; `escale login \(host)` changes the user"
            )
        case 404:
            return EscaleError(
                .registryNotFound,
                "there is no \(what) on \(host)\(reason)",
                hint: "check the name and the tag; a private one needs `escale login \(host)`"
            )
        case 429:
            return EscaleError(
                Code("registry.too-many"),
                "\(host) has had too many requests and asks to wait\(reason)",
                hint: "try again later, or log in: `escale login \(host)`"
            )
        case 500...:
            return EscaleError(
                Code("registry.failed"),
                "\(host) failed with \(what): it answered \(status)\(reason)",
                hint: "try again later; its operator's logs say more"
            )
        default:
            return EscaleError(
                Code("registry.refused"),
                "\(host) refused \(what) with \(status)\(reason)"
            )
        }
    }

    /// The server's answer is not what the specification says.
    static func notARegistry(_ host: String, _ reason: String) -> EscaleError {
        EscaleError(
            Code("registry.protocol"),
            "\(host) does not answer as a registry does: \(reason)",
            hint: "check the host's name and port"
        )
    }
}

/// The body of a refusal (OCI distribution specification, error codes).
struct RegistryRefusal: Codable {
    struct Item: Codable {
        let code: String
        let message: String?
    }

    let errors: [Item]

    /// The first error's words, on one line.
    static func message(in body: [UInt8]) -> String? {
        guard let refusal = try? JSONDecoder().decode(RegistryRefusal.self, from: Data(body)) else {
            return nil
        }
        let item = refusal.errors.first
        let text = item?.message.flatMap { $0.isEmpty ? nil : $0 } ?? item?.code
        return text.map { String($0.prefix(300)).split(whereSeparator: \.isNewline).joined(separator: " ") }
    }
}
