import EscaleCore
import EscaleCrypto
import EscaleHTTP
import EscaleImages
import EscaleOCI
import EscaleSystem

extension RegistryService {
    func manifest(_ name: String, _ reference: String, _ request: HTTPRequest) throws -> HTTPResponse {
        switch request.method {
        case .get, .head: return try read(name, reference, request)
        case .put: return try put(name, reference, request)
        case .delete: return try remove(name, reference)
        default: throw RegistryProblem.unsupported
        }
    }

    private func find(_ name: String, _ reference: String) throws -> Repositories.Manifest {
        guard let digest = Digest(reference) ?? repositories.digest(of: reference, in: name),
            let manifest = repositories.manifest(digest, in: name)
        else { throw RegistryProblem.manifestUnknown(reference) }
        return manifest
    }

    private func read(_ name: String, _ reference: String, _ request: HTTPRequest) throws -> HTTPResponse {
        try check(reference, name)
        let manifest = try find(name, reference)
        if request.method == .get { report("pulled \(name) \(reference)") }
        return HTTPResponse(
            .ok,
            headers: [
                "Content-Type": manifest.descriptor.mediaType,
                "Docker-Content-Digest": manifest.descriptor.digest.description,
                "ETag": "\"\(manifest.descriptor.digest)\"",
            ],
            body: try store.blob(manifest.descriptor.digest)
        )
    }

    /// A tag's name goes into a path: nothing else may.
    private func check(_ reference: String, _ name: String) throws {
        if reference.contains(":") {
            guard Digest(reference) != nil else {
                throw RegistryProblem.digestInvalid("\(reference) is no sha256 digest")
            }
        } else if (try? ImageReference("localhost/\(name):\(reference)")) == nil {
            throw RegistryProblem(
                status: .badRequest,
                code: "TAG_INVALID",
                message: "\"\(reference)\" is not a tag"
            )
        }
    }

    private func remove(_ name: String, _ reference: String) throws -> HTTPResponse {
        try check(reference, name)
        let manifest = try find(name, reference)
        if Digest(reference) == nil {
            try repositories.removeTag(reference, in: name)
        } else {
            try repositories.remove(manifest.descriptor.digest, in: name)
        }
        report("deleted \(name) \(reference)")
        return HTTPResponse(.accepted)
    }

    private func put(_ name: String, _ reference: String, _ request: HTTPRequest) throws -> HTTPResponse {
        try check(reference, name)
        let lease = store.lease()
        defer { withExtendedLifetime(lease) {} }
        guard request.body.count <= Self.maximalManifest else {
            throw RegistryProblem(
                status: .contentTooLarge,
                code: "MANIFEST_INVALID",
                message: "the manifest is larger than \(Self.maximalManifest) bytes"
            )
        }
        let digest = SHA256.digest(of: request.body)
        if let named = Digest(reference), named != digest {
            throw RegistryProblem.digestInvalid("the manifest's digest is \(digest)")
        }
        let manifest = try read(request, digest)
        for part in manifest.parts where part.urls?.isEmpty ?? true {
            try expect(part, of: manifest, in: name)
        }
        try store.addBlob(request.body)
        try repositories.put(manifest, tag: Digest(reference) == nil ? reference : nil, in: name)
        report("pushed \(name) \(reference) \(digest)")
        var headers: HTTPHeaders = [
            "Location": "/v2/\(name)/manifests/\(digest)", "Docker-Content-Digest": digest.description,
        ]
        if let subject = manifest.subject { headers["OCI-Subject"] = subject.description }
        return HTTPResponse(.created, headers: headers)
    }

    private func expect(_ part: Descriptor, of manifest: Repositories.Manifest, in name: String) throws {
        guard part.size >= 0 else {
            throw RegistryProblem.manifestInvalid("\(part.digest) has the size \(part.size)")
        }
        if manifest.isIndex {
            guard repositories.manifest(part.digest, in: name) != nil else {
                throw RegistryProblem(
                    status: .badRequest,
                    code: "MANIFEST_BLOB_UNKNOWN",
                    message: "the index names the manifest \(part.digest), which is not in this repository"
                )
            }
            return
        }
        guard repositories.has(part.digest, in: name), let size = store.blobSize(part.digest) else {
            throw RegistryProblem(
                status: .badRequest,
                code: "MANIFEST_BLOB_UNKNOWN",
                message: "the manifest names the blob \(part.digest), which is not in this repository"
            )
        }
        guard size == part.size else {
            throw RegistryProblem.manifestInvalid("\(part.digest) has \(size) bytes, not \(part.size)")
        }
    }

    private func read(_ request: HTTPRequest, _ digest: Digest) throws -> Repositories.Manifest {
        let type =
            (request.headers["Content-Type"] ?? "").prefix { $0 != ";" }
            .split(whereSeparator: \.isWhitespace).first.map(String.init) ?? ""
        let descriptor = Descriptor(mediaType: type, digest: digest, size: Int64(request.body.count))
        func decoded<Value: Decodable>(_ kind: Value.Type) throws -> Value {
            do {
                return try decodeJSON(kind, from: request.body)
            } catch {
                throw RegistryProblem.manifestInvalid("the manifest can't be read: \(describe(error))")
            }
        }
        func expectType(_ own: String?, _ version: Int) throws {
            guard version == 2 else {
                throw RegistryProblem.manifestInvalid("schemaVersion must be 2, not \(version)")
            }
            guard own == nil || own == type else {
                throw RegistryProblem.manifestInvalid(
                    "the manifest is sent as \(type) and says that it is \(own ?? "")"
                )
            }
        }
        if MediaType.isIndex(type) {
            let index = try decoded(ImageIndexDocument.self)
            try expectType(index.mediaType, index.schemaVersion)
            return .init(
                descriptor: descriptor,
                pushed: .now,
                subject: index.subject?.digest,
                artifactType: index.artifactType,
                parts: index.manifests,
                isIndex: true
            )
        }
        guard MediaType.isManifest(type) else {
            throw RegistryProblem.manifestInvalid("manifests of the type \"\(type)\" are not known here")
        }
        let manifest = try decoded(ImageManifest.self)
        try expectType(manifest.mediaType, manifest.schemaVersion)
        var kept = descriptor
        kept.annotations = manifest.subject == nil ? nil : manifest.annotations
        return .init(
            descriptor: kept,
            pushed: .now,
            subject: manifest.subject?.digest,
            artifactType: manifest.artifactType ?? manifest.config.mediaType,
            parts: [manifest.config] + manifest.layers,
            isIndex: false
        )
    }
}
