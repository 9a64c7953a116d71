package import EscaleAPI
package import EscaleCore
import EscaleCrypto
import EscaleHTTP
package import EscaleImages
package import EscaleOCI
import EscaleSystem

/// A manifest as a registry gave it, its digest checked.
struct FetchedManifest: Sendable {
    let descriptor: Descriptor
    let bytes: [UInt8]
}

extension Registries {
    /// Brings an image into the store, or finds that it is there already.
    ///
    /// Blobs come side by side; each is checked against its digest as it comes. One that broke off is gone on with, in this
    /// pull and in the next. Nobody sees the image before all of it is there.
    /// - Returns: the image, and the digest of what its name leads to.
    /// - Throws: `registry.*`, `image.platform`, `image.manifest`, `image.digest`, `archive.*`, `http.*`, `system.*`.
    package func pull(
        _ reference: ImageReference,
        platform: ImagePlatform = .host,
        credential: RegistryCredential?,
        progress: @escaping Progress = { _ in }
    ) async throws -> (image: StoredImage, digest: Digest) {
        let lease = store.lease()
        defer { withExtendedLifetime(lease) {} }
        let configuration = try await configuration()
        let mirrors = configuration.host(reference.host).mirrors
        for mirror in mirrors {
            let connection = try RegistryConnection(
                reference.host,
                configuration: configuration,
                credential: nil,
                mirror: mirror
            )
            // Whatever is wrong with a mirror, the registry itself has the last word.
            if let found = try? await pull(reference, platform, connection, progress) { return found }
            try Task.checkCancellation()
        }
        let connection = try RegistryConnection(
            reference.host,
            configuration: configuration,
            credential: credential
        )
        return try await pull(reference, platform, connection, progress)
    }

    /// The digest that the name leads to now.
    package func resolve(_ reference: ImageReference, credential: RegistryCredential?) async throws -> Digest
    {
        let connection = try RegistryConnection(
            reference.host,
            configuration: try await configuration(),
            credential: credential
        )
        return try await manifest(of: reference, connection).descriptor.digest
    }

    private func pull(
        _ reference: ImageReference,
        _ platform: ImagePlatform,
        _ connection: RegistryConnection,
        _ progress: @escaping Progress
    ) async throws -> (image: StoredImage, digest: Digest) {
        let top = try await manifest(of: reference, connection)
        let fetched = try await image(top, reference, platform, connection, depth: 0)
        let manifest = try decodeManifest(ImageManifest.self, fetched.bytes, fetched.descriptor.digest)
        try manifest.check()
        let configBytes = try await config(manifest.config, reference, connection)
        let config = try ImageStore.decodeConfig(configBytes)
        guard config.rootfs.layers.count == manifest.layers.count else {
            throw EscaleError.badManifest(
                "its configuration names \(config.rootfs.layers.count) layers and its manifest \(manifest.layers.count)"
            )
        }
        try await fetch(
            Array(zip(manifest.layers, config.rootfs.layers)),
            reference,
            connection,
            progress
        )
        let stored = try await store.addImage(
            config: configBytes,
            manifest: fetched.bytes,
            references: [reference],
            source: "\(reference.host)/\(reference.repository)@\(top.descriptor.digest)"
        )
        return (stored, top.descriptor.digest)
    }

    // MARK: Manifests

    func manifest(of reference: ImageReference, _ connection: RegistryConnection) async throws
        -> FetchedManifest
    {
        try await manifest(
            reference.digest?.description ?? reference.tag ?? "latest",
            digest: reference.digest,
            reference,
            connection
        )
    }

    private func manifest(
        _ name: String,
        digest: Digest?,
        _ reference: ImageReference,
        _ connection: RegistryConnection
    ) async throws -> FetchedManifest {
        var call = RegistryConnection.Call(
            .get,
            "/v2/\(reference.repository)/manifests/\(name)",
            scopes: ["repository:\(reference.repository):pull"],
            what: reference.familiar
        )
        for type in MediaType.acceptable { call.headers.add("Accept", type) }
        let response = try await connection.send(call)
        let type =
            (response.headers["Content-Type"] ?? "").prefix { $0 != ";" }
            .split(whereSeparator: \.isWhitespace).first.map(String.init) ?? ""
        let found = SHA256.digest(of: response.body)
        if let digest, digest != found {
            throw EscaleError.wrongDigest("manifest of \(reference)", expected: digest, found: found)
        }
        if let told = response.headers["Docker-Content-Digest"].flatMap({ Digest($0) }), told != found {
            throw EscaleError.wrongDigest("manifest of \(reference)", expected: told, found: found)
        }
        guard MediaType.isManifest(type) || MediaType.isIndex(type) else {
            throw EscaleError.badManifest(
                type.contains("manifest.v1")
                    ? "\(reference) has a manifest of the old schema 1; push it again with a newer tool"
                    : "\(reference) has a manifest of the unknown type \"\(type)\""
            )
        }
        return FetchedManifest(
            descriptor: Descriptor(mediaType: type, digest: found, size: Int64(response.body.count)),
            bytes: response.body
        )
    }

    /// Follows indexes down to the manifest of one image.
    private func image(
        _ fetched: FetchedManifest,
        _ reference: ImageReference,
        _ platform: ImagePlatform,
        _ connection: RegistryConnection,
        depth: Int
    ) async throws -> FetchedManifest {
        guard MediaType.isIndex(fetched.descriptor.mediaType) else { return fetched }
        guard depth < 4 else { throw EscaleError.badManifest("its indexes lead to each other, too deep") }
        let index = try decodeManifest(ImageIndexDocument.self, fetched.bytes, fetched.descriptor.digest)
        let chosen = try platform.choose(among: index.manifests, what: reference.familiar)
        let next = try await manifest(
            chosen.digest.description,
            digest: chosen.digest,
            reference,
            connection
        )
        return try await image(next, reference, platform, connection, depth: depth + 1)
    }

    // MARK: Blobs

    private func config(
        _ descriptor: Descriptor,
        _ reference: ImageReference,
        _ connection: RegistryConnection
    ) async throws -> [UInt8] {
        let store = store
        if store.blobSize(descriptor.digest) != descriptor.size {
            try await download(descriptor, reference, connection) { _ in }
        }
        return try await blocking { try store.blob(descriptor.digest) }
    }

    private func fetch(
        _ layers: [(blob: Descriptor, layer: Digest)],
        _ reference: ImageReference,
        _ connection: RegistryConnection,
        _ progress: @escaping Progress
    ) async throws {
        var seen: Set<Digest> = []
        var rest = layers.filter { seen.insert($0.layer).inserted }[...]
        for (blob, layer) in rest where store.hasLayer(layer) {
            progress(.init(part: blob.digest.short, text: "Already exists", isDone: true, amount: nil))
        }
        rest = rest.filter { !store.hasLayer($0.layer) }[...]
        try await withThrowingTaskGroup(of: Void.self) { group in
            func next() {
                guard let (blob, layer) = rest.popFirst() else { return }
                group.addTask {
                    try await self.fetch(blob, as: layer, reference, connection, progress)
                }
            }
            for _ in 0..<Self.parallelBlobs { next() }
            for try await _ in group { next() }
        }
    }

    private func fetch(
        _ blob: Descriptor,
        as layer: Digest,
        _ reference: ImageReference,
        _ connection: RegistryConnection,
        _ progress: @escaping Progress
    ) async throws {
        let part = blob.digest.short
        if store.blobSize(blob.digest) != blob.size {
            try await download(blob, reference, connection, progress)
        }
        progress(.init(part: part, text: "Extracting", isDone: false, amount: nil))
        try await store.unpack(blob, as: layer)
        progress(.init(part: part, text: "Pull complete", isDone: true, amount: nil))
    }

    /// Brings a blob into the store. Of several who want the same one, one does it.
    private func download(
        _ blob: Descriptor,
        _ reference: ImageReference,
        _ connection: RegistryConnection,
        _ progress: @escaping Progress
    ) async throws {
        try await downloads.with(blob.digest) {
            guard store.blobSize(blob.digest) != blob.size else { return }
            let store = store
            let writer = try await blocking { try store.download(blob.digest) }
            do {
                try await fill(writer, blob, reference, connection, progress)
            } catch {
                // What came is kept for the next try, unless it is what was wrong.
                if writer.count > 0, (error as? EscaleError)?.code.rawValue != "image.digest" {
                    writer.keep()
                }
                throw error
            }
            _ = try await blocking { try writer.commit(blob.digest) }
        }
    }

    private func fill(
        _ writer: BlobWriter,
        _ blob: Descriptor,
        _ reference: ImageReference,
        _ connection: RegistryConnection,
        _ progress: @escaping Progress
    ) async throws {
        if writer.count > blob.size { try writer.restart() }
        let report = AmountReport(blob.digest.short, "Downloading", total: blob.size, progress)
        var attempt = 0
        var most = writer.count
        while writer.count < blob.size {
            do {
                try await more(of: blob, into: writer, reference, connection, report)
            } catch {
                // As long as something new comes, it is gone on with.
                attempt = writer.count > most ? 1 : attempt + 1
                most = max(most, writer.count)
                guard let pause = RegistryConnection.pause(after: error, attempt, true) else {
                    throw (error as? RegistryConnection.Refused)?.error ?? error
                }
                try await Task.sleep(for: pause)
            }
        }
    }

    private func more(
        of blob: Descriptor,
        into writer: BlobWriter,
        _ reference: ImageReference,
        _ connection: RegistryConnection,
        _ report: AmountReport
    ) async throws {
        var call = RegistryConnection.Call(
            .get,
            "/v2/\(reference.repository)/blobs/\(blob.digest)",
            scopes: ["repository:\(reference.repository):pull"],
            what: "blob \(blob.digest.short) of \(reference.familiar)"
        )
        if writer.count > 0 { call.headers["Range"] = "bytes=\(writer.count)-" }
        call.accepts = [416]
        let answer = try await connection.open(call)
        let isRest =
            answer.response.status == .partialContent
            && answer.response.headers["Content-Range"]?.hasPrefix("bytes \(writer.count)-") == true
        let begin = writer.count
        // A server that knows no ranges begins anew.
        if !isRest, writer.count > 0 { try writer.restart() }
        guard answer.response.status != .rangeNotSatisfiable else {
            throw EscaleError(.httpInterrupted, "\(reference.host) has no byte \(begin) of \(call.what)")
        }
        guard isRest || answer.response.status != .partialContent else {
            throw EscaleError(
                .httpInterrupted,
                "\(reference.host) sends another part of \(call.what) than byte \(begin)"
            )
        }
        for try await chunk in answer.response.body {
            guard writer.count + Int64(chunk.count) <= blob.size else {
                try writer.restart()
                throw EscaleError.badManifest(
                    "blob \(blob.digest.short) is longer than the \(blob.size) bytes of its descriptor"
                )
            }
            try writer.write(chunk)
            report.set(to: writer.count)
        }
        guard writer.count == blob.size else {
            if !isRest, answer.response.headers["Content-Length"].flatMap({ Int64($0) }) == writer.count {
                let count = writer.count
                try writer.restart()
                throw EscaleError.badManifest(
                    "blob \(blob.digest.short) has \(count) bytes, not the \(blob.size) of its descriptor"
                )
            }
            throw EscaleError(
                .httpInterrupted,
                "\(reference.host) broke off at byte \(writer.count) of \(blob.size) of \(call.what)"
            )
        }
    }
}
