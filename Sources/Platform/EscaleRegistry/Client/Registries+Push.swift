package import EscaleAPI
package import EscaleCore
import EscaleCrypto
import EscaleHTTP
package import EscaleImages
package import EscaleOCI
import EscaleSystem

extension Registries {
    /// Takes an image of the store to the registry that its name says.
    ///
    /// What the registry has already isn't sent. Layers that were pulled are sent as they came, so that the manifest keeps its
    /// digest; layers made here are compressed the same way every time.
    /// - Returns: the digest that the name leads to there now.
    /// - Throws: `image.not-found`, `registry.*`, `http.*`, `system.*`.
    package func push(
        _ image: StoredImage,
        as reference: ImageReference,
        credential: RegistryCredential?,
        progress: @escaping Progress = { _ in }
    ) async throws -> Digest {
        guard let tag = reference.tag else {
            throw EscaleError(
                .init("image.reference"),
                "\(reference) has no tag to be pushed to",
                hint: "give it one with `escale tag \(image.displayName) NAME:TAG`"
            )
        }
        let lease = store.lease()
        defer { withExtendedLifetime(lease) {} }
        let connection = try RegistryConnection(
            reference.host,
            configuration: try await configuration(),
            credential: credential
        )
        // Before anything is compressed for nothing.
        _ = try await connection.send(.init(.get, "/v2/", scopes: [], what: "its API"))
        let target = PushTarget(registries: self, connection: connection, reference: reference, image: image)
        var parts: [Int: Descriptor] = [:]
        var rest = Array(image.layers.enumerated())[...]
        try await withThrowingTaskGroup(of: (Int, Descriptor).self) { group in
            func next() {
                guard let (index, layer) = rest.popFirst() else { return }
                group.addTask { (index, try await target.push(layer, progress)) }
            }
            for _ in 0..<Self.parallelBlobs { next() }
            for try await (index, part) in group {
                parts[index] = part
                next()
            }
        }
        let layers = image.layers.indices.compactMap { parts[$0] }
        let (manifest, type, config) = try await target.manifest(layers)
        try await target.push(config)
        let digest = try await target.put(manifest, type, tag: tag)
        try await store.recordPush(
            image.id,
            manifest: manifest,
            source: "\(reference.host)/\(reference.repository)@\(digest)"
        )
        return digest
    }
}

/// One image on its way to one repository.
private struct PushTarget: Sendable {
    let registries: Registries
    let connection: RegistryConnection
    let reference: ImageReference
    let image: StoredImage

    private var store: ImageStore { registries.store }
    private var scopes: [String] { ["repository:\(reference.repository):pull,push"] }

    private func call(_ method: HTTPMethod, _ path: String, _ what: String) -> RegistryConnection.Call {
        .init(
            method,
            path.contains("://") || path.hasPrefix("/") ? path : "/v2/\(reference.repository)/\(path)",
            scopes: scopes,
            what: "\(what) of \(reference.familiar)"
        )
    }

    // MARK: Layers

    func push(_ layer: Digest, _ progress: @escaping Registries.Progress) async throws -> Descriptor {
        let name = layer.short
        progress(.init(part: name, text: "Preparing", isDone: false, amount: nil))
        if let known = store.compressedLayer(layer), try await isThere(known, progress, name) { return known }
        let store = store
        if let known = store.compressedLayer(layer), store.blobSize(known.digest) == known.size {
            let file = try await blocking { try store.openBlob(known.digest) }
            try await upload(file, known, name, progress)
            return known
        }
        progress(.init(part: name, text: "Compressing", isDone: false, amount: nil))
        let (blob, descriptor) = try await blocking { try store.compress(layer) }
        // Compressed, it may turn out to be there.
        if try await isThere(descriptor, progress, name) { return descriptor }
        let file = try await blocking { try blob.reading() }
        try await upload(file, descriptor, name, progress)
        return descriptor
    }

    private func isThere(
        _ blob: Descriptor,
        _ progress: Registries.Progress,
        _ name: String
    ) async throws -> Bool {
        var call = call(.head, "blobs/\(blob.digest)", "blob \(blob.digest.short)")
        call.accepts = [404]
        if try await connection.send(call).status.isSuccess {
            progress(.init(part: name, text: "Layer already exists", isDone: true, amount: nil))
            return true
        }
        // Another repository of the same registry may have it.
        let prefix = reference.host + "/"
        let others = image.sources.compactMap { source -> String? in
            guard source.hasPrefix(prefix), let known = try? ImageReference(source) else { return nil }
            return known.repository == reference.repository ? nil : known.repository
        }
        for other in Set(others).sorted() {
            var mount = self.call(
                .post,
                "blobs/uploads/?mount=\(blob.digest)&from=\(PercentCoding.encode(other))",
                "blob \(blob.digest.short)"
            )
            mount.scopes.append("repository:\(other):pull")
            mount.accepts = [401, 403, 404]
            let answer = try await connection.send(mount)
            if answer.status == .created {
                progress(.init(part: name, text: "Mounted from \(other)", isDone: true, amount: nil))
                return true
            }
            // An upload that was begun instead is left to the registry to forget.
        }
        return false
    }

    private func upload(
        _ file: FileDescriptor,
        _ blob: Descriptor,
        _ name: String,
        _ progress: @escaping Registries.Progress
    ) async throws {
        let report = AmountReport(name, "Pushing", total: blob.size, progress)
        let what = "blob \(blob.digest.short)"
        let whole = call(.post, "blobs/uploads/", what)
        try await connection.repeated(whole) {
            let begun = try await connection.send(whole)
            guard let location = begun.headers["Location"] else {
                throw EscaleError.notARegistry(reference.host, "it names no place for an upload")
            }
            report.set(to: 0)
            let joint = location.contains("?") ? "&" : "?"
            var put = call(.put, location + joint + "digest=\(blob.digest)", what)
            put.headers["Content-Type"] = "application/octet-stream"
            put.upload = .init(file, from: 0, count: blob.size) { report.add($0) }
            let answer = try await connection.open(put)
            for try await _ in answer.response.body {}
        }
        progress(.init(part: name, text: "Pushed", isDone: true, amount: nil))
    }

    // MARK: The rest

    /// The image's own manifest where it names exactly these layers, else one that does.
    func manifest(_ layers: [Descriptor]) async throws -> (bytes: [UInt8], type: String, config: Descriptor) {
        let store = store
        let image = image
        return try await blocking {
            let bytes = try store.blob(image.manifest)
            if let own = try? decodeJSON(ImageManifest.self, from: bytes),
                own.layers.map(\.digest) == layers.map(\.digest)
            {
                return (bytes, own.mediaType ?? MediaType.manifest, own.config)
            }
            let config = Descriptor(
                mediaType: MediaType.config,
                digest: image.id,
                size: Int64(try store.blob(image.id).count)
            )
            let plain = layers.map { layer in
                Descriptor(
                    mediaType: MediaType.ociLayer(layer.mediaType),
                    digest: layer.digest,
                    size: layer.size
                )
            }
            return (try encodeJSON(ImageManifest(config: config, layers: plain)), MediaType.manifest, config)
        }
    }

    func push(_ config: Descriptor) async throws {
        if try await isThere(config, { _ in }, "config") { return }
        let store = store
        let file = try await blocking { try store.openBlob(config.digest) }
        try await upload(file, config, "config") { _ in }
    }

    func put(_ manifest: [UInt8], _ type: String, tag: String) async throws -> Digest {
        var call = call(.put, "manifests/\(tag)", "the manifest")
        call.headers["Content-Type"] = type
        call.body = manifest
        let answer = try await connection.send(call)
        let digest = SHA256.digest(of: manifest)
        if let told = answer.headers["Docker-Content-Digest"].flatMap({ Digest($0) }), told != digest {
            throw EscaleError.wrongDigest("pushed manifest", expected: digest, found: told)
        }
        return digest
    }
}
