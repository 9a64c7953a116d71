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
import Glibc
import Synchronization

/// `build`, and what goes with it.
extension API {
    typealias BuildItem = EscaleAPI.BuildRequest.Item

    func build(_ request: HTTPRequest) throws -> HTTPResponse {
        let body: EscaleAPI.BuildRequest = try decode(request)
        return lines { progress in try await build(body, progress) }
    }

    /// Builds side by side, each after those whose images it builds upon; the first failure ends the others.
    func build(_ request: EscaleAPI.BuildRequest, _ progress: @escaping Progress) async throws -> BuildResult
    {
        var result = BuildResult(images: [:])
        if request.checkOnly {
            result.findings = []
            for item in request.items {
                result.findings? += try await builder.check(try plan(item, request, [:], progress))
            }
            return result
        }
        var rest = request.items
        while !rest.isEmpty {
            let waiting = Set(rest.map(\.service))
            let ready = rest.filter { $0.neededServices.isDisjoint(with: waiting.subtracting([$0.service])) }
            guard !ready.isEmpty else {
                throw EscaleError(
                    .init("build.circle"),
                    "these services build upon each other in a circle: \(waiting.map(\.rawValue).sorted().joined(separator: ", "))",
                    hint: "look at their `additional_contexts`"
                )
            }
            rest.removeAll { item in ready.contains { $0.service == item.service } }
            let names = Dictionary(request.items.map { ($0.service, $0.image ?? "") }) { first, _ in first }
            try await withThrowingTaskGroup(of: (ServiceName, String).self) { group in
                for item in ready {
                    group.addTask { (item.service, try await build(item, request, names, progress)) }
                }
                for try await (service, image) in group { result.images[service] = image }
            }
        }
        return result
    }

    private func build(
        _ item: BuildItem,
        _ request: EscaleAPI.BuildRequest,
        _ names: [ServiceName: String],
        _ progress: @escaping Progress
    ) async throws -> String {
        let report = BuildReport(service: item.service, image: item.image, progress: progress)
        let plan = try plan(item, request, names, progress)
        for source in item.build.options?.cacheFrom ?? [] {
            await importCache(source, request.credentials, progress)
        }
        let images = BaseImages { name, platform, pulls in
            try await base(name, platform, pulls: pulls, request.credentials, progress)
        }
        var isInline = false
        let targets = (item.build.options?.cacheTo ?? []).map(CacheLocation.init)
        for target in targets { try target.check() }
        for target in targets where target.kind == "inline" { isInline = true }
        let (image, records) = try await builder.build(
            plan,
            images: images,
            inlineCache: isInline,
            events: report.take
        )
        for target in targets { try await exportCache(target, records, request.credentials, progress) }
        return image.id.description
    }

    /// What the builder is asked for.
    private func plan(
        _ item: BuildItem,
        _ request: EscaleAPI.BuildRequest,
        _ names: [ServiceName: String],
        _ progress: Progress
    ) throws -> EscaleBuild.BuildRequest {
        let options = item.build.options ?? BuildOptions()
        var references = try item.image.map { [try ImageReference($0)] } ?? []
        references += try (options.tags ?? []).map { try ImageReference($0) }
        var plan = EscaleBuild.BuildRequest(
            contextDirectory: item.build.context,
            dockerfilePath: item.build.dockerfile,
            inlineDockerfile: options.dockerfileText,
            target: item.build.target,
            arguments: item.build.arguments,
            references: references,
            ignoresCache: request.noCache || options.ignoresCache == true
        )
        plan.stagesWithoutCache = Set(
            (options.stagesWithoutCache ?? []).flatMap { $0.split(separator: ",") }.map { $0.lowercased() }
        )
        plan.secrets = item.secrets.mapValues { secret in
            switch secret {
            case .file(let path): .file(path)
            case .text(let text): .text(text)
            }
        }
        plan.agents = item.agents
        plan.labels = options.labels ?? [:]
        plan.pulls = request.pull || options.pulls == true
        plan.keepsFailure = request.keepsFailure
        for (name, value) in options.contexts ?? [:] { plan.contexts[name] = try context(value, names, name) }
        if let network = options.network {
            guard let known = BuildRun.Network(rawValue: network) else {
                throw EscaleError(
                    .init("build.network"),
                    "a build can't join the network \"\(network)\"",
                    hint: "possible are default, none and host"
                )
            }
            plan.network = known
        }
        for host in options.extraHosts ?? [] { plan.extraHosts[host.name] = host.addresses }
        guard !plan.extraHosts.values.joined().contains("host-gateway") else {
            throw EscaleError(
                .init("build.unsupported"),
                "host-gateway in `build.extra_hosts` is not supported",
                hint: "write the host's address"
            )
        }
        plan.limits = options.limits
        try platform(options.platforms ?? [], &plan, item, progress)
        return plan
    }

    /// One platform is built; others are for other machines.
    private func platform(
        _ names: [String],
        _ plan: inout EscaleBuild.BuildRequest,
        _ item: BuildItem,
        _ progress: Progress
    ) throws {
        guard !names.isEmpty else { return }
        let host = ImagePlatform.host
        let platforms = try names.map { try ImagePlatform($0) }
        let chosen = platforms.first { host.accepts($0) } ?? platforms[0]
        plan.platform = chosen.description
        guard platforms.count > 1 else { return }
        let others = platforms.filter { $0 != chosen }.map(\.description).joined(separator: ", ")
        progress(
            ProgressEvent(
                "Image \(item.image ?? item.service.rawValue)",
                .warning,
                "Building for \(chosen) only",
                reason: "not for \(others)",
                at: .now
            )
        )
    }

    private func context(_ value: String, _ names: [ServiceName: String], _ name: String) throws
        -> BuildContext
    {
        if value.hasPrefix("docker-image://") { return .image(String(value.dropFirst(15))) }
        if value.hasPrefix("service:") {
            let service = ServiceName(rawValue: String(value.dropFirst(8)))
            guard let image = names[service], !image.isEmpty else {
                throw EscaleError(
                    .init("build.context"),
                    "the context \(name) is the image of the service \(service), which isn't built",
                    hint: "build both together, or name an image: docker-image://NAME"
                )
            }
            return .image(image)
        }
        guard value.hasPrefix("/") else {
            throw EscaleError(
                .init("build.context"),
                "the context \(name) can't be \"\(value)\"",
                hint: "possible are a directory, docker-image://NAME and service:NAME"
            )
        }
        return .directory(value)
    }

    // MARK: Base images

    private func base(
        _ name: String,
        _ platform: String?,
        pulls: Bool,
        _ credentials: [String: RegistryCredential],
        _ progress: @escaping Progress
    ) async throws -> StoredImage {
        let wanted = try platform.map { try ImagePlatform($0) } ?? .host
        if !pulls, let image = try? self.platform.images.image(name), wanted.accepts(image.config.platform) {
            return image
        }
        let reference = try ImageReference(name)
        do {
            _ = try await pull(reference, wanted, credentials[reference.host], progress)
        } catch let error as EscaleError where error.code.rawValue.hasPrefix("http.") {
            throw EscaleError(
                .imageNotFound,
                "there is no image \"\(name)\" here, and it can't be pulled: \(error.message)",
                hint:
                    "bring it in with `escale image load` or `escale image bootstrap`; `escale image ls` lists what is here"
            )
        }
        return try self.platform.images.image(name)
    }

    // MARK: The cache elsewhere

    /// Best effort: without it the steps run again.
    private func importCache(
        _ text: String,
        _ credentials: [String: RegistryCredential],
        _ progress: @escaping Progress
    ) async {
        let source = CacheLocation(text)
        let subject = "Cache \(source.place)"
        do {
            try source.check()
            progress(ProgressEvent(subject, .working, "Importing", at: .now))
            let image: StoredImage
            switch source.kind {
            case "registry", "inline":
                let reference = try ImageReference(source.place)
                image = try await registries.pull(reference, credential: credentials[reference.host]) {
                    progress(ProgressEvent(reference, $0))
                }.image
            case "local":
                guard let found = try await platform.images.load(source.archive).first else { return }
                image = found
            default: throw source.unknown
            }
            let count = try await builder.importCache(of: image)
            progress(ProgressEvent(subject, .done, "Imported", reason: "\(count) steps", at: .now))
        } catch {
            progress(
                ProgressEvent(
                    subject,
                    .warning,
                    "Not used",
                    reason: EscaleError(wrapping: error).message,
                    at: .now
                )
            )
        }
    }

    private func exportCache(
        _ target: CacheLocation,
        _ records: [Digest: CacheRecord],
        _ credentials: [String: RegistryCredential],
        _ progress: @escaping Progress
    ) async throws {
        guard target.kind != "inline" else { return }
        let subject = "Cache \(target.place)"
        progress(ProgressEvent(subject, .working, "Exporting", at: .now))
        let image = try await builder.cacheImage(records)
        switch target.kind {
        case "registry":
            let reference = try ImageReference(target.place)
            _ = try await registries.push(image, as: reference, credential: credentials[reference.host]) {
                progress(ProgressEvent(reference, $0))
            }
        case "local":
            try await blocking { try Files.createDirectories(target.place) }
            try await platform.images.save([image.id.description], to: target.archive, format: .oci)
        default: throw target.unknown
        }
        progress(ProgressEvent(subject, .done, "Exported", at: .now))
    }

    // MARK: Looking around

    func debug(_ request: DebugRequest) async throws -> ExecPlan {
        guard let run = builder.failures.run(request.failure) else {
            throw EscaleError(
                .init("build.no-failure"),
                "nothing is kept of that step any more",
                hint: "build it again"
            )
        }
        let (id, shell) = try await supervisor.builds.open(BuildCommand(run), terminal: request.terminal)
        shells.withLock { $0[request.failure] = id }
        return ExecPlan(
            executable: shell.executable,
            arguments: shell.arguments,
            unmounts: shell.namespace?.unmounts ?? []
        )
    }

    func endDebug(_ request: DebugRequest) async throws -> Empty {
        if let id = shells.withLock({ $0.removeValue(forKey: request.failure) }) {
            try await supervisor.builds.close(id)
        }
        try await builder.failures.discard(request.failure)
        return Empty()
    }
}

/// `cache_from` and `cache_to`: an image's name, or `type=registry,ref=NAME`, `type=local,dest=DIR`, `type=inline`.
private struct CacheLocation: Hashable {
    let kind: String
    let place: String

    init(_ text: String) {
        var fields: [String: String] = [:]
        for part in text.split(separator: ",") {
            let pair = part.split(separator: "=", maxSplits: 1).map(String.init)
            fields[pair[0]] = pair.count > 1 ? pair[1] : ""
        }
        guard let type = fields["type"] else {
            kind = "registry"
            place = text
            return
        }
        kind = type
        place = fields["ref"] ?? fields["src"] ?? fields["dest"] ?? ""
    }

    var archive: String { place + "/escale-cache.tar" }

    /// - Throws: `build.cache` for a kind that is unknown, or a directory that isn't absolute.
    func check() throws(EscaleError) {
        guard ["registry", "local", "inline"].contains(kind), kind != "local" || place.hasPrefix("/") else {
            throw unknown
        }
    }

    var unknown: EscaleError {
        EscaleError(
            .init("build.cache"),
            "a cache of the type \"\(kind)\" is not supported",
            hint: "possible are registry, local and inline"
        )
    }
}

extension EscaleAPI.BuildRequest.Item {
    /// The services whose images it is built from.
    fileprivate var neededServices: Set<ServiceName> {
        Set(build.options?.serviceContexts ?? [])
    }
}

extension BuildOptions {
    fileprivate var limits: ContainerLimits? {
        var limits = ContainerLimits()
        limits.sharedMemory = sharedMemory
        limits.ofEachProcess = ContainerLimits.processes(ulimits ?? [:])
        return limits == ContainerLimits() ? nil : limits
    }
}

/// Turns a build's events into progress.
private final class BuildReport: Sendable {
    private let service: ServiceName
    private let name: String
    private let progress: Progress
    private let subjects = Mutex<[Int: String]>([:])

    init(service: ServiceName, image: String?, progress: @escaping Progress) {
        self.service = service
        name = image ?? service.rawValue
        self.progress = progress
    }

    @Sendable func take(_ event: BuildEvent) async {
        switch event {
        case .began: tell("Image \(name)", .working, "Building")
        case .warning(let diagnostic): tell("Image \(name)", .warning, diagnostic.rendered())
        case .stepStarted(let step): tell(subject(step), .working, "")
        case .stepCached(let step): tell(subject(step), .done, "Cached")
        case .output(let step, let line):
            if let subject = subjects.withLock({ $0[step] }) { tell(subject, .output, line) }
        case .stepFinished(let step, _): tell(subject(step), .done, "Done")
        case .stepFailed(let step, _): tell(subject(step), .failed, "Failed")
        case .finished: tell("Image \(name)", .done, "Built")
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
        try await containers.run(BuildCommand(step), output: output)
    }
}

extension BuildCommand {
    init(_ step: BuildRun) {
        self.init(
            layers: step.lower,
            writable: WritableLayer(upper: step.upper, work: step.work, options: BuildRun.overlayOptions),
            arguments: step.arguments,
            environment: step.environment,
            workingDirectory: step.workingDirectory,
            user: step.user
        )
        mounts = step.mounts
        network =
            switch step.network {
            case .usual: .own
            case .none: .none
            case .host: .host
            }
        extraHosts = step.extraHosts.sorted { $0.key < $1.key }.flatMap { host in
            host.value.map { (name: host.key, address: $0) }
        }
        limits = step.limits
    }
}
