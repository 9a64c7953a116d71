import EscaleAPI
import EscaleBuild
import EscaleCompose
import EscaleCore
import EscaleEngine
import EscaleHTTP
import EscaleImages
import EscaleOCI
import EscaleRegistry
import EscaleSupervisor
import EscaleSystem
import Synchronization

typealias Progress = @Sendable (ProgressEvent) -> Void

/// `up`: images are made first, then containers from them.
extension API {
    func up(_ request: HTTPRequest) throws -> HTTPResponse {
        let body: UpRequest = try decode(request)
        return lines { progress in
            if body.isDryRun, try missesImages(body, progress) { return UpResult(changed: true, orphans: []) }
            if !body.isDryRun { try await makeImages(body, progress) }
            return try await supervisor.up(body, observer: progress)
        }
    }

    func bootstrap(_ request: BootstrapRequest) throws -> HTTPResponse {
        let reference = try ImageReference(request.name)
        return lines { progress in
            let subject = "Image \(reference)"
            progress(ProgressEvent(subject, .working, "Bootstrapping", at: .now))
            let image = try await platform.images.bootstrap(as: reference) {
                progress(ProgressEvent(subject, .output, $0, at: .now))
            }
            progress(ProgressEvent(subject, .done, "Bootstrapped", at: .now))
            return ImageSummary(image)
        }
    }

    /// Builds what is to be built: everything with a `build` if asked, else what isn't there. Pulls the rest.
    func makeImages(_ request: UpRequest, _ progress: @escaping Progress) async throws {
        let project = request.project
        let wanted = request.wanted
        if request.refusesToBuild, let service = project.services.first(where: {
            wanted.contains($0.name) && $0.build != nil && !has($0.imageName(in: project.name))
        }) {
            throw EscaleError(
                .imageNotFound, "the image of service \(service.name) is not built",
                hint: "leave --no-build away, or build it: `escale build \(service.name)`")
        }
        let items = project.services.filter { wanted.contains($0.name) }.compactMap { service in
            request.build || service.imageSettings?.pullPolicy == .build || !has(service.imageName(in: project.name))
                ? EscaleAPI.BuildRequest.Item(service, in: project, agent: request.agent) : nil
        }
        if let registry = project.registry {
            _ = try await self.registry.start(
                RegistrySettings(
                    listen: registry.listen, htpasswd: registry.htpasswd, certificate: registry.certificate,
                    key: registry.key))
        }
        try await pullImages(request, progress)
        try await pullOtherImages(request, progress)
        var build = EscaleAPI.BuildRequest(items: items)
        build.credentials = request.credentials
        _ = try await self.build(build, progress)
    }

    /// Whether images are missing, so that nothing more can be said of what would be done; tells which.
    private func missesImages(_ request: UpRequest, _ progress: Progress) throws -> Bool {
        let built = Set(request.project.services.filter { $0.build != nil }.map { $0.imageName(in: request.project.name) })
        var wanted = request.project
        wanted.services.removeAll { !request.wanted.contains($0.name) }
        let missing = wanted.imageNames.filter { !has($0) }
        for image in missing {
            progress(
                ProgressEvent(
                    "Image \(image)", .done, built.contains(image) ? "Would build" : "Would pull", reason: "missing", at: .now))
        }
        return !missing.isEmpty
    }

    /// Pulls what the services' `pull_policy`, or the command, asks for.
    private func pullImages(_ request: UpRequest, _ progress: @escaping Progress) async throws {
        let wanted = request.wanted
        // What another service builds needn't be anywhere else.
        let built = Set(
            request.project.services.filter { $0.build != nil }.map { $0.imageName(in: request.project.name) })
        var seen: Set<ImageReference> = []
        for service in request.project.services where wanted.contains(service.name) && service.build == nil {
            let name = service.imageName(in: request.project.name)
            let settings = service.imageSettings
            let policy = PullPolicy(settings, override: request.pull)
            let platform = try settings?.platform.map { try ImagePlatform($0) } ?? .host
            guard let reference = try? ImageReference(name),
                policy == .always || !built.contains(name),
                policy.pulls(has: has(name), last: self.platform.images.lastPull(reference), now: .now),
                seen.insert(reference).inserted
            else { continue }
            do {
                _ = try await pull(reference, platform, request.credentials[reference.host], progress)
            } catch let error as EscaleError where error.code != .interrupted {
                let isAway = error.code.rawValue.hasPrefix("http.")
                throw EscaleError(
                    isAway ? .imageNotFound : error.code,
                    "\(service.name) needs the image \"\(name)\", which can't be pulled: \(error.message)",
                    hint: isAway
                        ? "build it, or bring it in with `escale image load`; `escale image ls` lists what is here" : error.hint,
                    details: error.details)
            }
        }
    }

    func has(_ image: String) -> Bool { (try? platform.images.image(image)) != nil }
}
