import EscaleCore
import EscaleCrypto
import EscaleHTTP
import EscaleImages
import EscaleOCI
import EscaleSystem

/// Answers the requests of the OCI distribution specification, version 1.1, and those of Docker's clients, over the store.
struct RegistryService: Sendable {
    let store: ImageStore
    let accounts: RegistryAccounts?
    let uploads: RegistryUploads
    /// Sees each push and pull of a manifest, a sentence each.
    let report: @Sendable (String) -> Void

    var repositories: Repositories { store.repositories }

    /// The largest manifest that is taken, as other registries have it.
    static let maximalManifest = 4 << 20

    // MARK: Requests

    @Sendable func answer(_ request: HTTPRequest) async -> HTTPResponse {
        var response: HTTPResponse
        do {
            try await admit(request)
            let route = try RegistryRoute(request)
            response = try await answer(request, route)
        } catch {
            response = RegistryProblem(error).response
            if response.status == .unauthorized {
                response.headers["WWW-Authenticate"] = #"Basic realm="Escale""#
            }
        }
        response.headers[RegistryAnswer.version.0] = RegistryAnswer.version.1
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response
    }

    private func admit(_ request: HTTPRequest) async throws {
        guard let accounts else { return }
        guard try await blocking({ accounts.admits(request) }) else { throw Self.unauthorized }
    }

    private static let unauthorized = RegistryProblem(
        status: .unauthorized,
        code: "UNAUTHORIZED",
        message: "a user name and a password are needed"
    )

    private func answer(_ request: HTTPRequest, _ route: RegistryRoute) async throws -> HTTPResponse {
        let isReading = request.method == .get || request.method == .head
        switch route {
        case .base where isReading: return RegistryAnswer.json([String: String]())
        case .catalogue where isReading: return try await blocking { try catalogue(request) }
        case .tags(let name) where isReading: return try await blocking { try tags(of: name, request) }
        case .manifest(let name, let reference):
            return try await blocking { try manifest(name, reference, request) }
        case .blob(let name, let digest): return try await blocking { try blob(name, digest, request) }
        case .upload(let name, let id) where request.method == .get:
            guard let count = try await blocking({ try uploads.count(id) }) else {
                throw RegistryProblem.uploadUnknown
            }
            return accepted(name, id, count, status: .noContent)
        case .upload(_, let id) where request.method == .delete:
            guard try await blocking({ try uploads.count(id) }) != nil else {
                throw RegistryProblem.uploadUnknown
            }
            try await blocking { try uploads.forget(id) }
            return HTTPResponse(.noContent)
        case .referrers(let name, let digest) where isReading:
            return try await blocking { try referrers(name, digest, request) }
        case .page(let name) where isReading:
            return try await blocking { try RegistryPage(store: store).answer(name) }
        default: throw RegistryProblem.unsupported
        }
    }

    // MARK: Lists

    private func catalogue(_ request: HTTPRequest) throws -> HTTPResponse {
        struct Catalogue: Encodable { let repositories: [String] }
        let (page, link) = try Self.page(repositories.names(), request)
        var response = RegistryAnswer.json(Catalogue(repositories: page))
        response.headers["Link"] = link
        return response
    }

    private func tags(of name: String, _ request: HTTPRequest) throws -> HTTPResponse {
        struct Tags: Encodable {
            let name: String
            let tags: [String]
        }
        try expect(name)
        let (page, link) = try Self.page(repositories.tags(in: name), request)
        var response = RegistryAnswer.json(Tags(name: name, tags: page))
        response.headers["Link"] = link
        return response
    }

    private func expect(_ name: String) throws {
        guard try !repositories.manifests(in: name).isEmpty else { throw RegistryProblem.nameUnknown(name) }
    }

    /// `n` names after `last`, and the link to the next ones.
    private static func page(_ all: [String], _ request: HTTPRequest) throws -> ([String], link: String?) {
        var names = all
        if let last = request.query["last"] { names = names.filter { last < $0 } }
        guard let text = request.query["n"] else { return (names, nil) }
        guard let count = Int(text), count >= 0 else {
            throw RegistryProblem(
                status: .badRequest,
                code: "PAGINATION_NUMBER_INVALID",
                message: "n must be a number, not \(text)"
            )
        }
        guard count < names.count else { return (names, nil) }
        let page = Array(names.prefix(count))
        guard let last = page.last else { return ([], nil) }
        return (page, "<\(request.encodedPath)?n=\(count)&last=\(PercentCoding.encode(last))>; rel=\"next\"")
    }

    private func referrers(_ name: String, _ digest: String, _ request: HTTPRequest) throws -> HTTPResponse {
        guard let subject = Digest(digest) else {
            throw RegistryProblem.digestInvalid("\(digest) is no sha256 digest")
        }
        var index = ImageIndexDocument(manifests: [])
        for manifest in try repositories.manifests(in: name) where manifest.subject == subject {
            var entry = manifest.descriptor
            entry.artifactType = manifest.artifactType
            index.manifests.append(entry)
        }
        var response: HTTPResponse
        if let type = request.query["artifactType"] {
            index.manifests.removeAll { $0.artifactType != type }
            response = RegistryAnswer.json(index, type: MediaType.index)
            response.headers["OCI-Filters-Applied"] = "artifactType"
        } else {
            response = RegistryAnswer.json(index, type: MediaType.index)
        }
        return response
    }

    // MARK: Blobs

    private func blob(_ name: String, _ text: String, _ request: HTTPRequest) throws -> HTTPResponse {
        guard let digest = Digest(text) else {
            throw RegistryProblem.digestInvalid("\(text) is no sha256 digest")
        }
        guard repositories.has(digest, in: name), let size = store.blobSize(digest) else {
            throw RegistryProblem.blobUnknown(text)
        }
        switch request.method {
        case .delete:
            try repositories.unlink(digest, in: name)
            return HTTPResponse(.accepted, headers: ["Docker-Content-Digest": text])
        case .get, .head: break
        default: throw RegistryProblem.unsupported
        }
        var headers: HTTPHeaders = [
            "Content-Type": "application/octet-stream", "Docker-Content-Digest": text,
            "Accept-Ranges": "bytes",
            "ETag": "\"\(text)\"", "Cache-Control": "max-age=31536000",
        ]
        let file = try store.openBlob(digest)
        // A unit that isn't known and several ranges at once are as if nothing was said (RFC 9110, section 14.2).
        guard let wanted = request.headers["Range"], wanted.hasPrefix("bytes="), !wanted.contains(",") else {
            return HTTPResponse(.ok, headers: headers, body: .file(file, from: 0, count: size))
        }
        guard let range = Self.range(wanted, size: size) else {
            return HTTPResponse(.rangeNotSatisfiable, headers: ["Content-Range": "bytes */\(size)"])
        }
        headers["Content-Range"] = "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(size)"
        return HTTPResponse(
            .partialContent,
            headers: headers,
            body: .file(file, from: range.lowerBound, count: range.upperBound - range.lowerBound)
        )
    }

    /// One range of bytes (RFC 9110, section 14.1.2); `nil` for what can't be satisfied.
    static func range(_ text: String, size: Int64) -> Range<Int64>? {
        guard text.hasPrefix("bytes=") else { return nil }
        let parts = text.dropFirst(6).split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        if parts[0].isEmpty {
            guard let count = Int64(parts[1]), count > 0, size > 0 else { return nil }
            return max(0, size - count)..<size
        }
        guard let first = Int64(parts[0]), first >= 0, first < size else { return nil }
        if parts[1].isEmpty { return first..<size }
        guard let last = Int64(parts[1]), last >= first else { return nil }
        return first..<min(last, size - 1) + 1
    }

    func accepted(_ name: String, _ id: String, _ count: Int64, status: HTTPStatus = .accepted)
        -> HTTPResponse
    {
        HTTPResponse(
            status,
            headers: [
                "Location": "/v2/\(name)/blobs/uploads/\(id)", "Range": "0-\(max(0, count - 1))",
                "Docker-Upload-UUID": id,
            ]
        )
    }
}
