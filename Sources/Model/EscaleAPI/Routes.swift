package import EscaleCore

/// The daemon's HTTP API over its Unix socket. Bodies are JSON; what takes long answers with JSON lines
/// (`application/x-ndjson`), each a ``StreamLine``. Every failure's body is an ``EscaleError``.
///
/// | method, path | body → answer |
/// |---|---|
/// | `GET /v1/version` | → ``VersionInfo`` |
/// | `GET /v1/system` | → ``SystemInfo`` |
/// | `GET /v1/metrics` | → counters by service, release and replica, in Prometheus' text format 0.0.4 |
/// | `POST /v1/system/stop` | → `{}`; containers go on running |
/// | `POST /v1/system/reset` | → lines of ``Empty``: every project down with its volumes, all state removed, daemon ended |
/// | `GET /v1/projects` | → `[ProjectSummary]` |
/// | `POST /v1/projects/NAME/up` | ``UpRequest`` → lines of ``UpResult`` |
/// | `POST /v1/projects/NAME/down` | ``DownRequest`` → lines of ``Empty`` |
/// | `POST /v1/projects/NAME/services` | ``ServicesRequest`` → lines of ``ServicesResult`` |
/// | `POST /v1/projects/NAME/run` | ``RunRequest`` → lines of ``ContainerHandle``: a container that is not started yet |
/// | `GET /v1/projects/NAME/containers` | → `[ContainerSummary]`, ended ones too |
/// | `GET /v1/projects/NAME/logs?service=S…&index=N&follow=1&tail=N&since=T&until=T` | → lines of ``LogRecord`` (bare, no ``StreamLine``) |
/// | `GET /v1/projects/NAME/events?follow=1&since=T` | → lines of ``Event`` (bare) |
/// | `GET /v1/projects/NAME/releases` | → `[ReleaseSummary]`, newest first |
/// | `GET /v1/projects/NAME/releases/N` | → ``ReleaseDetail``; `latest` for N |
/// | `GET /v1/projects/NAME/releases/N/watch` | → lines of ``ReleaseDetail`` (bare), one a second and at each change, until it ends |
/// | `GET /v1/projects/NAME/releases/diff?from=N&to=M` | → ``ReleaseDifference``; without `from` and `to` the last two |
/// | `POST /v1/projects/NAME/releases/latest` | ``ReleaseCommand`` → ``ReleaseSummary``: tells the one that runs |
/// | `POST /v1/projects/NAME/rollback` | ``RollbackRequest`` → lines of ``UpResult`` |
/// | `POST /v1/projects/NAME/exec` | ``ExecRequest`` → ``ExecPlan`` |
/// | `GET /v1/containers` | → `[ContainerSummary]` of all projects |
/// | `GET /v1/containers/C` | → Docker's inspect object |
/// | `POST /v1/containers/C` | ``ContainerRequest`` → lines of ``Empty`` |
/// | `POST /v1/containers/C/start` | → `{}`; C is an id, the beginning of one, or a name |
/// | `POST /v1/containers/C/make` | → `{}`: it can be attached to, and its program waits for `start` |
/// | `POST /v1/containers/C/signal?signal=S` | → `{}` |
/// | `GET /v1/containers/C/attach` | → ``AttachPlan`` |
/// | `GET /v1/containers/C/end` | → lines of ``ContainerEnd``, when it has ended |
/// | `GET /v1/containers/C/processes` | → `[ProcessSummary]` |
/// | `POST /v1/containers/C/copy` | ``CopyRequest`` → `{}` |
/// | `GET /v1/stats?project=NAME` | → `[ContainerSample]` of what runs |
/// | `GET /v1/volumes` | → `[VolumeSummary]` |
/// | `DELETE /v1/containers/C` | → `{}`; one that a command was run in |
/// | `POST /v1/build` | ``BuildRequest`` → lines of ``BuildResult`` |
/// | `POST /v1/build/debug`, `DELETE` | ``DebugRequest`` → ``ExecPlan`` of a shell in what a failed step left; ends it |
/// | `GET /v1/images` | → `[ImageSummary]` |
/// | `GET /v1/images/inspect?name=N` | → Docker's inspect object |
/// | `DELETE /v1/images?name=N&force=1` | → ``ImageRemoval`` |
/// | `POST /v1/images/import` | ``ImportRequest`` → lines of ``ImageSummary`` |
/// | `POST /v1/images/pull` | ``PullRequest`` → lines of `[TransferredImage]` |
/// | `POST /v1/images/push` | ``PushRequest`` → lines of `[TransferredImage]` |
/// | `POST /v1/images/load` | ``LoadRequest`` → lines of `[ImageSummary]` |
/// | `POST /v1/images/save` | ``SaveRequest`` → lines of ``Empty`` |
/// | `POST /v1/images/tag` | ``TagRequest`` → `{}` |
/// | `GET /v1/images/history?name=N` | → `[HistoryEntry]`, newest first |
/// | `POST /v1/images/prune?all=1` | → ``PruneResult`` |
/// | `POST /v1/images/check?repair=1` | → lines of ``StoreCheck`` |
/// | `GET /v1/system/df` | → ``DiskUsage`` |
/// | `POST /v1/system/prune?all=1&volumes=1` | → progress, then ``SystemPruneResult`` |
/// | `POST /v1/registries/login` | ``LoginRequest`` → `{}` |
/// | `GET /v1/registry` | → `[RegistryStatus]`, one or none |
/// | `POST /v1/registry/serve` | ``RegistrySettings`` → ``RegistryStatus``; lines until the client goes where it isn't permanent |
/// | `POST /v1/registry/stop` | → whether one served |
/// | `POST /v1/images/bootstrap` | ``BootstrapRequest`` → lines of ``ImageSummary`` |
package enum Routes {
    /// The version of this API; a daemon with another one refuses with `api.version`.
    package static let version = 1
}

/// Nothing to say beyond that it worked.
package struct Empty: Codable, Hashable, Sendable { package init() {} }

/// One line of a streamed answer: any number with progress, then one with the result or the error.
package struct StreamLine<Result: Codable & Sendable>: Codable, Sendable {
    package var progress: ProgressEvent?
    package var result: Result?
    package var error: EscaleError?

    package static func progress(_ event: ProgressEvent) -> Self { Self(progress: event) }
    package static func result(_ result: Result) -> Self { Self(result: result) }
    package static func failure(_ error: EscaleError) -> Self { Self(error: error) }

    private init(progress: ProgressEvent? = nil, result: Result? = nil, error: EscaleError? = nil) {
        self.progress = progress
        self.result = result
        self.error = error
    }
}

/// What just happened to one subject of a running command.
package struct ProgressEvent: Codable, Hashable, Sendable {
    package enum State: String, Codable, Sendable {
        /// Being worked on, or waited for.
        case working
        case done
        case failed
        case warning
        /// A line that the subject's process wrote.
        case output
    }

    /// What the line is about, also its key on a terminal: `Container shop-api-1`, `Network shop_back`, `api 3/7 RUN …`.
    package var subject: String
    package var state: State
    /// One or two words for states (`Creating`, `Started`, `Healthy`); the line itself for output.
    package var text: String
    /// Why, where there is a reason worth telling: `image changed`, `waits for api to be healthy`.
    package var reason: String?
    /// How far a transfer is.
    package var amount: Amount?
    package var at: Timestamp

    /// Bytes of bytes.
    package struct Amount: Codable, Hashable, Sendable {
        package var done: Int64
        package var total: Int64

        package init(done: Int64, total: Int64) {
            self.done = done
            self.total = total
        }
    }

    package init(
        _ subject: String, _ state: State, _ text: String, reason: String? = nil, amount: Amount? = nil, at: Timestamp
    ) {
        self.amount = amount
        self.subject = subject
        self.state = state
        self.text = text
        self.reason = reason
        self.at = at
    }
}

/// What `escale version` shows of the daemon.
package struct VersionInfo: Codable, Hashable, Sendable {
    package var version: String
    package var api: Int
    package var pid: Int32
    package var startedAt: Timestamp

    package init(version: String, api: Int, pid: Int32, startedAt: Timestamp) {
        self.version = version
        self.api = api
        self.pid = pid
        self.startedAt = startedAt
    }
}

/// What `escale system info` shows.
package struct SystemInfo: Codable, Hashable, Sendable {
    package var version: String
    package var stateDirectory: String
    package var runtimeDirectory: String
    package var ociRuntime: String
    package var cgroups: String
    package var addressPool: String
    package var projects: Int
    package var containers: Int
    package var running: Int
    package var images: Int
    package var kernel: String

    package init(
        version: String, stateDirectory: String, runtimeDirectory: String, ociRuntime: String, cgroups: String,
        addressPool: String, projects: Int, containers: Int, running: Int, images: Int, kernel: String
    ) {
        self.version = version
        self.stateDirectory = stateDirectory
        self.runtimeDirectory = runtimeDirectory
        self.ociRuntime = ociRuntime
        self.cgroups = cgroups
        self.addressPool = addressPool
        self.projects = projects
        self.containers = containers
        self.running = running
        self.images = images
        self.kernel = kernel
    }
}
