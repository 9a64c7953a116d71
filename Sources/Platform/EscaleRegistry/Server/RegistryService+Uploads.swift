import EscaleCore
import EscaleHTTP
import EscaleImages
import EscaleSystem

/// Uploads of blobs: begun by POST, sent by PATCH in pieces, ended by PUT; or all in one request.
extension RegistryService {
    /// Who takes the body of a request; `nil` where it is small and belongs into memory.
    @Sendable func receiver(_ request: HTTPRequest) -> (any HTTPBodyReceiver)? {
        guard [.post, .patch, .put].contains(request.method), let route = try? RegistryRoute(request) else {
            return nil
        }
        switch route {
        case .uploads(let name): return begin(name, request)
        case .upload(let name, let id): return goOn(name, id, request)
        default: return nil
        }
    }

    private func begin(_ name: String, _ request: HTTPRequest) -> any HTTPBodyReceiver {
        do {
            guard accounts?.admits(request) ?? true else { throw Refusal.unauthorized }
            guard request.method == .post else { throw RegistryProblem.unsupported }
            if let text = request.query["mount"], let mounted = try mount(text, name, request) {
                return FixedReceiver { mounted }
            }
            let id = try uploads.begin()
            guard let digest = request.query["digest"] else {
                let response = accepted(name, id, 0)
                return FixedReceiver { response }
            }
            return UploadReceiver(try uploads.take(id), id, uploads) { _, writer, id in
                try await end(writer, id, digest, name)
            }
        } catch {
            return FixedReceiver.refusing(error)
        }
    }

    private func goOn(_ name: String, _ id: String, _ request: HTTPRequest) -> any HTTPBodyReceiver {
        do {
            guard accounts?.admits(request) ?? true else { throw Refusal.unauthorized }
            guard let writer = try uploads.take(id) else { throw RegistryProblem.uploadUnknown }
            if let range = request.headers["Content-Range"], !Self.continues(range, at: writer.count) {
                let count = writer.count
                uploads.giveBack(writer, id)
                var response = accepted(name, id, count, status: .rangeNotSatisfiable)
                response.headers["Content-Length"] = "0"
                return FixedReceiver { [response] in response }
            }
            switch request.method {
            case .patch:
                return UploadReceiver(writer, id, uploads) { _, writer, id in
                    let count = writer.count
                    uploads.giveBack(writer, id)
                    return accepted(name, id, count)
                }
            case .put:
                let digest = request.query["digest"] ?? ""
                return UploadReceiver(writer, id, uploads) { _, writer, id in
                    try await end(writer, id, digest, name)
                }
            default:
                uploads.giveBack(writer, id)
                throw RegistryProblem.unsupported
            }
        } catch {
            return FixedReceiver.refusing(error)
        }
    }

    /// `0-1023` or `bytes 0-1023/*`: whether it begins where the upload is.
    private static func continues(_ range: String, at count: Int64) -> Bool {
        let text = range.hasPrefix("bytes ") ? range.dropFirst(6) : range[...]
        return text.prefix { $0 != "-" }.split(separator: "=").last.flatMap { Int64($0) } == count
    }

    private func end(_ writer: BlobWriter, _ id: String, _ text: String, _ name: String) async throws
        -> HTTPResponse
    {
        guard let digest = Digest(text) else {
            uploads.giveBack(writer, id)
            throw RegistryProblem.digestInvalid("\"\(text)\" is no sha256 digest")
        }
        let lease = store.lease()
        defer { withExtendedLifetime(lease) {} }
        do {
            try await blocking {
                try writer.commit(digest, sync: true)
                try repositories.link(digest, in: name)
            }
            uploads.release(id)
        } catch let error as EscaleError where error.code.rawValue == "image.digest" {
            try await blocking { try uploads.forget(id) }
            throw RegistryProblem.digestInvalid(error.message)
        } catch {
            uploads.release(id)
            throw error
        }
        return created(digest, name)
    }

    private func created(_ digest: Digest, _ name: String) -> HTTPResponse {
        HTTPResponse(
            .created,
            headers: ["Location": "/v2/\(name)/blobs/\(digest)", "Docker-Content-Digest": digest.description]
        )
    }

    /// Shows a blob of another repository in this one; `nil` where it isn't there, and an upload shall begin.
    private func mount(_ text: String, _ name: String, _ request: HTTPRequest) throws -> HTTPResponse? {
        guard let digest = Digest(text), store.blobSize(digest) != nil else { return nil }
        let from = try request.query["from"].map { try RegistryRoute.name($0) } ?? name
        let lease = store.lease()
        defer { withExtendedLifetime(lease) {} }
        guard repositories.has(digest, in: from) || repositories.has(digest, in: name) else { return nil }
        try repositories.link(digest, in: name)
        return created(digest, name)
    }
}

/// Answers the same whatever the body.
private final class FixedReceiver: HTTPBodyReceiver {
    private let response: @Sendable () -> HTTPResponse

    init(_ response: @escaping @Sendable () -> HTTPResponse) { self.response = response }

    static func refusing(_ error: any Error) -> FixedReceiver {
        if error is Refusal {
            return FixedReceiver {
                var response = RegistryProblem(
                    status: .unauthorized,
                    code: "UNAUTHORIZED",
                    message: "a user name and a password are needed"
                ).response
                response.headers["WWW-Authenticate"] = #"Basic realm="Escale""#
                return response
            }
        }
        let response = RegistryProblem(error).response
        return FixedReceiver { response }
    }

    func receive(_ bytes: UnsafeRawBufferPointer) {}

    func answer(_ request: HTTPRequest) async -> HTTPResponse {
        var response = response()
        response.headers[RegistryAnswer.version.0] = RegistryAnswer.version.1
        return response
    }
}

private enum Refusal: Error { case unauthorized }
