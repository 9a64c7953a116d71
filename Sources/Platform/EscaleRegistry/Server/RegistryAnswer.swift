import EscaleCore
import EscaleHTTP
import FoundationEssentials

/// A refusal as the OCI distribution specification has it: a status and a code for programs, a sentence for people.
struct RegistryProblem: Error {
    let status: HTTPStatus
    let code: String
    let message: String

    static func nameInvalid(_ name: String) -> Self {
        Self(status: .badRequest, code: "NAME_INVALID", message: "\"\(name)\" is not a repository's name")
    }

    static func nameUnknown(_ name: String) -> Self {
        Self(status: .notFound, code: "NAME_UNKNOWN", message: "there is no repository \(name) here")
    }

    static func blobUnknown(_ digest: String) -> Self {
        Self(
            status: .notFound,
            code: "BLOB_UNKNOWN",
            message: "there is no blob \(digest) in this repository"
        )
    }

    static func manifestUnknown(_ reference: String) -> Self {
        Self(
            status: .notFound,
            code: "MANIFEST_UNKNOWN",
            message: "there is no manifest \(reference) in this repository"
        )
    }

    static func manifestInvalid(_ reason: String) -> Self {
        Self(status: .badRequest, code: "MANIFEST_INVALID", message: reason)
    }

    static func digestInvalid(_ reason: String) -> Self {
        Self(status: .badRequest, code: "DIGEST_INVALID", message: reason)
    }

    static let uploadUnknown = Self(
        status: .notFound,
        code: "BLOB_UPLOAD_UNKNOWN",
        message: "there is no such upload; begin a new one"
    )

    static let uploadTaken = Self(
        status: .conflict,
        code: "BLOB_UPLOAD_INVALID",
        message: "another request writes to this upload just now"
    )

    static let unsupported = Self(
        status: .methodNotAllowed,
        code: "UNSUPPORTED",
        message: "the registry has nothing of that kind"
    )

    var response: HTTPResponse {
        RegistryAnswer.json(RegistryRefusal(errors: [.init(code: code, message: message)]), status)
    }

    /// What another error means for a client: a full disk is told as such.
    init(_ error: any Error) {
        if let problem = error as? RegistryProblem {
            self = problem
            return
        }
        let error = EscaleError(wrapping: error)
        let isFull = error.message.contains("No space left")
        self.init(
            status: isFull ? .insufficientStorage : .internalServerError,
            code: isFull ? "DENIED" : "UNKNOWN",
            message: error.message
        )
    }

    init(status: HTTPStatus, code: String, message: String) {
        self.status = status
        self.code = code
        self.message = message
    }
}

enum RegistryAnswer {
    static let version = ("Docker-Distribution-Api-Version", "registry/2.0")

    static func json(_ value: some Encodable, _ status: HTTPStatus = .ok, type: String = "application/json")
        -> HTTPResponse
    {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Strings and numbers only: encoding them can't fail.
        let body = (try? encoder.encode(value)).map(Array.init) ?? []
        return HTTPResponse(status, headers: ["Content-Type": type], body: body)
    }
}
