import EscaleAPI
import EscaleCompose
import EscaleCore
import EscaleHTTP
import EscaleImages
import EscaleOCI
import EscaleRegistry
import EscaleSupervisor
import EscaleSystem

/// Images from and to registries, and the registry of this host's own.
extension API {
    func pull(_ request: PullRequest) throws -> HTTPResponse {
        let references = try request.images.map { try ImageReference($0) }
        let platform = try request.platform.map { try ImagePlatform($0) } ?? .host
        return lines { progress in
            var pulled: [TransferredImage] = []
            for reference in references {
                pulled.append(
                    try await pull(reference, platform, request.credentials[reference.host], progress)
                )
            }
            return pulled
        }
    }

    func pull(
        _ reference: ImageReference,
        _ platform: ImagePlatform = .host,
        _ credential: RegistryCredential?,
        _ progress: @escaping Progress
    ) async throws -> TransferredImage {
        let subject = "Image \(reference)"
        progress(ProgressEvent(subject, .working, "Pulling", at: .now))
        do {
            let (image, digest) = try await registries.pull(
                reference,
                platform: platform,
                credential: credential
            ) {
                progress(ProgressEvent(reference, $0))
            }
            progress(ProgressEvent(subject, .done, "Pulled", at: .now))
            return TransferredImage(
                name: reference.familiar,
                id: image.id.description,
                digest: digest.description
            )
        } catch {
            progress(ProgressEvent(subject, .failed, "Failed", at: .now))
            throw error
        }
    }

    func push(_ request: PushRequest) throws -> HTTPResponse {
        let images = try request.images.map { (try ImageReference($0), try platform.images.image($0)) }
        return lines { progress in
            var pushed: [TransferredImage] = []
            for (reference, image) in images {
                let subject = "Image \(reference)"
                progress(ProgressEvent(subject, .working, "Pushing", at: .now))
                let digest = try await registries.push(
                    image,
                    as: reference,
                    credential: request.credentials[reference.host]
                ) { progress(ProgressEvent(reference, $0)) }
                progress(ProgressEvent(subject, .done, "Pushed", at: .now))
                pushed.append(
                    .init(name: reference.familiar, id: image.id.description, digest: digest.description)
                )
            }
            return pushed
        }
    }

    func logIn(_ request: LoginRequest) async throws -> HTTPResponse {
        try await registries.logIn(request.host, request.credential)
        return try json(Empty())
    }

    // MARK: The registry of this host

    func registry(_ verb: String, _ request: HTTPRequest) async throws -> HTTPResponse {
        switch (request.method, verb) {
        case (.get, ""):
            let status = try await registry.status()
            return try json(status.map { [$0] } ?? [])
        case (.post, "serve"): return try await serve(try decode(request))
        case (.post, "stop"): return try json(try await registry.stop())
        default: throw Self.noSuchRoute(request)
        }
    }

    /// Serves until it is stopped; one that isn't permanent, until the client goes.
    private func serve(_ settings: RegistrySettings) async throws -> HTTPResponse {
        let status = try await registry.start(settings)
        guard !settings.isPermanent else { return try json(status) }
        return lines { progress in
            progress(ProgressEvent("Registry \(status.url)", .working, "Serving", at: .now))
            await registry.watch { progress(ProgressEvent("Registry", .output, $0, at: .now)) }
            _ = try await registry.stop()
            return status
        }
    }
}

extension ProgressEvent {
    init(_ reference: ImageReference, _ event: Registries.Event) {
        self.init(
            "\(reference.familiarName) \(event.part)",
            event.isDone ? .done : .working,
            event.text,
            amount: event.amount,
            at: .now
        )
    }
}
