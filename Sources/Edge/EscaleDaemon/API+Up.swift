import EscaleAPI
import EscaleBuild
import EscaleCompose
import EscaleCore
import EscaleEngine
import EscaleHTTP
import EscaleImages
import EscaleOCI
import EscaleSupervisor
import EscaleSystem
import Synchronization

typealias Progress = @Sendable (ProgressEvent) -> Void

/// `up` and `build`: images are made first, then containers from them.
extension API {
    func up(_ request: HTTPRequest) throws -> HTTPResponse {
        let body: UpRequest = try decode(request)
        return lines { progress in
            try await makeImages(body, progress)
            return try await supervisor.up(body, observer: progress)
        }
    }

    func build(_ request: HTTPRequest) throws -> HTTPResponse {
        let body: EscaleAPI.BuildRequest = try decode(request)
        return lines { progress in BuildResult(images: try await build(body.items, noCache: body.noCache, progress)) }
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

    /// Builds what is to be built: everything with a `build` if asked, else what isn't there.
    private func makeImages(_ request: UpRequest, _ progress: @escaping Progress) async throws {
        let project = request.project
        let wanted = project.closure(of: request.services)
        let items = project.services.filter { wanted.contains($0.name) }.compactMap { service in
            let name = service.imageName(in: project.name)
            return service.build.flatMap { build in
                request.build || !has(name) ? BuildItem(service: service.name, build: build, image: name) : nil
            }
        }
        try await pullImages(request, progress)
        _ = try await build(items, noCache: false, progress)
    }

    /// Pulls what the services' `pull_policy`, or the command, asks for.
    private func pullImages(_ request: UpRequest, _ progress: @escaping Progress) async throws {
        let wanted = request.project.closure(of: request.services)
        var seen: Set<ImageReference> = []
        for service in request.project.services where wanted.contains(service.name) && service.build == nil {
            let name = service.imageName(in: request.project.name)
            let settings = service.imageSettings
            let policy = PullPolicy(settings, override: request.pull)
            let platform = try settings?.platform.map { try ImagePlatform($0) } ?? .host
            guard let reference = try? ImageReference(name),
                policy.pulls(has: has(name), last: self.platform.images.lastPull(reference), now: .now),
                seen.insert(reference).inserted
            else { continue }
            do {
                _ = try await pull(reference, platform, request.credentials[reference.host], progress)
            } catch let error as EscaleError where error.code.rawValue.hasPrefix("http.") {
                throw EscaleError(
                    .imageNotFound, "there is no image \"\(name)\" here, and it can't be pulled: \(error.message)",
                    hint: "build it, or bring it in with `escale image load`; `escale image ls` lists what is here")
            }
        }
    }

    private typealias BuildItem = EscaleAPI.BuildRequest.Item

    private func has(_ image: String) -> Bool { (try? platform.images.image(image)) != nil }

    /// Builds side by side; the first failure ends the others.
    private func build(
        _ items: [BuildItem], noCache: Bool, _ progress: @escaping Progress
    ) async throws -> [ServiceName: String] {
        try await withThrowingTaskGroup { group in
            for item in items {
                group.addTask { (item.service, try await build(item, noCache: noCache, progress)) }
            }
            var images: [ServiceName: String] = [:]
            for try await (service, image) in group { images[service] = image }
            return images
        }
    }

    private func build(_ item: BuildItem, noCache: Bool, _ progress: @escaping Progress) async throws -> String {
        let report = BuildReport(service: item.service, image: item.image, progress: progress)
        let image = try await builder.build(
            EscaleBuild.BuildRequest(
                contextDirectory: item.build.context, dockerfilePath: item.build.dockerfile,
                target: item.build.target, arguments: item.build.arguments,
                references: [try ImageReference(item.image)], ignoresCache: noCache),
            events: report.take)
        return image.id.description
    }
}

/// Turns a build's events into progress.
private final class BuildReport: Sendable {
    private let service: ServiceName
    private let image: String
    private let progress: Progress
    private let subjects = Mutex<[Int: String]>([:])

    init(service: ServiceName, image: String, progress: @escaping Progress) {
        self.service = service
        self.image = image
        self.progress = progress
    }

    @Sendable func take(_ event: BuildEvent) async {
        switch event {
        case .began: tell("Image \(image)", .working, "Building")
        case .warning(let diagnostic): tell("Image \(image)", .warning, diagnostic.rendered())
        case .stepStarted(let step): tell(subject(step), .working, "")
        case .stepCached(let step): tell(subject(step), .done, "Cached")
        case .output(let step, let line):
            if let subject = subjects.withLock({ $0[step] }) { tell(subject, .output, line) }
        case .stepFinished(let step, _): tell(subject(step), .done, "Done")
        case .stepFailed(let step, _): tell(subject(step), .failed, "Failed")
        case .finished: tell("Image \(image)", .done, "Built")
        }
    }

    private func tell(_ subject: String, _ state: ProgressEvent.State, _ text: String) {
        progress(ProgressEvent(subject, state, text, at: .now))
    }

    /// `api 3/7 RUN make`, with the stage where there are several.
    private func subject(_ step: BuildStep) -> String {
        let stage = step.stage == "stage-0" ? "" : "/\(step.stage)"
        let text = step.text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        let subject = "\(service)\(stage) \(step.number)/\(step.count) \(text)"
        subjects.withLock { $0[step.id] = subject }
        return subject
    }
}

/// Runs a build's commands in the engine's containers.
struct ContainerBuildRunner: BuildRunner {
    let containers: BuildContainers

    func run(_ step: BuildRun, output: @escaping @Sendable ([UInt8]) async -> Void) async throws -> Int32 {
        try await containers.run(
            BuildCommand(
                layers: step.lower,
                writable: WritableLayer(upper: step.upper, work: step.work, options: BuildRun.overlayOptions),
                arguments: step.arguments, environment: step.environment, workingDirectory: step.workingDirectory,
                user: step.user),
            output: output)
    }
}
