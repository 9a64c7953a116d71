import EscaleAPI
import EscaleCompose
import EscaleCore
import EscaleEngine
import EscaleHTTP
import EscaleSupervisor
import EscaleSystem

/// `logs` and `events`: what was, then, if asked, what comes.
extension API {
    func logs(_ name: ProjectName, _ request: HTTPRequest) async throws -> HTTPResponse {
        let selection = try LogSelection(request)
        let containers = await supervisor.containers(of: name).filter { selection.includes($0) }
        if let service = selection.services.first(where: { service in !containers.contains { $0.service == service } }),
            !(await supervisor.containers(of: name)).contains(where: { $0.service == service })
        {
            if let external = await supervisor.elsewhere(service, of: name) { throw EscaleError.serviceElsewhere(external) }
            throw EscaleError(
                .init("service.unknown"), "project \(name) has no container of a service \(service)",
                hint: "`escale ps -a` shows what there is")
        }
        let unkept = try await supervisor.containersWithoutLog(of: name)
        return .stream(headers: Self.headers("application/x-ndjson")) { writer in
            var follower = LogFollower(engine: platform.engine, selection: selection, unkept: unkept)
            while case let records = try await follower.next(containers), !records.isEmpty {
                try await writer.write(lines: records)
            }
            guard selection.follow else { return }
            var idle = 0
            while !Task.isCancelled {
                // Containers that come later are followed too; when none is left and none is coming, it ends.
                let current = await supervisor.containers(of: name).filter { selection.includes($0) }
                let records = try await follower.next(current)
                if !records.isEmpty { try await writer.write(lines: records) }
                let isOver = !current.contains(where: \.isLive)
                if records.isEmpty && (isOver || selection.isPast(.now)) { idle += 1 } else { idle = 0 }
                if idle > 5 { return }
                if records.isEmpty { try await Task.sleep(for: .milliseconds(100)) }
            }
        }
    }

    func events(_ name: ProjectName, _ request: HTTPRequest) async throws -> HTTPResponse {
        let since = request.query["since"].flatMap { Timestamp($0) }
        let follow = request.query["follow"] == "1"
        let stream = supervisor.followEvents()
        let past = try await supervisor.events(of: name).filter { since.map { $0.nanoseconds } ?? .min <= $0.at.nanoseconds }
        return .stream(headers: Self.headers("application/x-ndjson")) { writer in
            for event in past { try await writer.write(line: event) }
            guard follow else { return }
            let last = past.last?.at
            for await event in stream where event.project == name && last.map({ $0 < event.at }) ?? true {
                try await writer.write(line: event)
            }
        }
    }
}

/// What of the logs is wanted.
private struct LogSelection: Sendable {
    let services: [ServiceName]
    let follow: Bool
    let tail: Int?
    let since: Timestamp?
    let until: Timestamp?
    /// Only the replica with this number.
    let index: Int?

    init(_ request: HTTPRequest) throws(EscaleError) {
        services = request.query.all("service").map(ServiceName.init(rawValue:))
        follow = request.query["follow"] == "1"
        since = request.query["since"].flatMap { Timestamp($0) }
        until = request.query["until"].flatMap { Timestamp($0) }
        index = request.query["index"].flatMap { Int($0) }
        guard let tail = request.query["tail"] else {
            self.tail = nil
            return
        }
        guard let number = Int(tail), number >= 0 else {
            throw EscaleError(.invalidInput, "\"\(tail)\" is no number of lines", hint: "write `--tail 100`")
        }
        self.tail = number
    }

    func includes(_ container: ContainerSummary) -> Bool {
        (services.isEmpty || services.contains(container.service)) && (index ?? container.slot) == container.slot
    }

    func includes(_ time: Timestamp) -> Bool {
        (since.map { $0 <= time } ?? true) && (until.map { time <= $0 } ?? true)
    }

    /// Whether nothing that is written from then on is wanted.
    func isPast(_ time: Timestamp) -> Bool { until.map { $0 < time } ?? false }
}

/// Reads several containers' logs forward, merged by time. Holds little of them, however long they are.
private struct LogFollower: Sendable {
    /// One container's log, and what is read of it and not given on.
    private struct Source: Sendable {
        let container: ContainerSummary
        var reader: ContainerLogReader
        var waiting: ArraySlice<ContainerLogLine> = []
        /// Whether there was nothing more at the last look.
        var isDry = false
        var notices: [String] = []
    }

    private let engine: any ContainerEngine
    private let selection: LogSelection
    /// Containers whose output is not kept.
    private let unkept: Set<ContainerID>
    private var sources: [Source] = []
    private var known: Set<ContainerID> = []
    private var isFirst = true

    /// About how many bytes are given at a time.
    private static let portion = 1 << 20

    init(engine: any ContainerEngine, selection: LogSelection, unkept: Set<ContainerID>) {
        self.engine = engine
        self.selection = selection
        self.unkept = unkept
    }

    /// The next lines; empty where all have been read.
    mutating func next(_ containers: [ContainerSummary]) async throws -> [LogRecord] {
        let state = self
        let (records, next) = try await blocking {
            var state = state
            let records = try state.read(containers)
            return (records, state)
        }
        self = next
        return records
    }

    private mutating func read(_ containers: [ContainerSummary]) throws -> [LogRecord] {
        for container in containers where known.insert(container.id).inserted { sources.append(try begin(container)) }
        isFirst = false
        for index in sources.indices { sources[index].isDry = false }
        var records: [LogRecord] = []
        var size = 0
        while size < Self.portion {
            try refill()
            for index in sources.indices where !sources[index].notices.isEmpty {
                let container = sources[index].container
                for text in sources[index].notices {
                    records.append(LogRecord(notice: text, container: container.name, service: container.service, at: .now))
                }
                sources[index].notices = []
            }
            guard let (first, bound) = earliest() else { break }
            while let line = sources[first].waiting.first, line.at <= bound, size < Self.portion {
                sources[first].waiting.removeFirst()
                guard selection.includes(line.at) else { continue }
                size += line.text.count + 128
                let container = sources[first].container
                records.append(
                    LogRecord(
                        container: container.name, service: container.service,
                        stream: line.stream == .stdout ? .stdout : .stderr, at: line.at, bytes: line.text,
                        goesOn: line.goesOn))
            }
        }
        return records
    }

    private func begin(_ container: ContainerSummary) throws -> Source {
        var reader = engine.log(of: container.id)
        if isFirst, let tail = selection.tail {
            try reader.skip(toLast: tail)
        } else if let since = selection.since {
            try reader.skip(to: since)
        }
        var source = Source(container: container, reader: reader)
        if unkept.contains(container.id) {
            source.notices = ["its output is not kept: the service's logging driver is none"]
        }
        return source
    }

    /// Reads on where nothing waits.
    private mutating func refill() throws {
        let share = max(1 << 15, Self.portion / max(1, sources.count))
        for index in sources.indices where sources[index].waiting.isEmpty && !sources[index].isDry {
            sources[index].waiting = try sources[index].reader.next(limit: share)[...]
            sources[index].isDry = sources[index].waiting.isEmpty
            if sources[index].reader.takeMissed() {
                sources[index].notices.append("lines are missing here: their file was removed before they were read")
            }
        }
    }

    /// The log whose next line is the oldest, and the time up to which its lines are older than all others'.
    private func earliest() -> (index: Int, bound: Timestamp)? {
        var first: (index: Int, at: Timestamp)?
        var second: Timestamp?
        for index in sources.indices {
            guard let at = sources[index].waiting.first?.at else { continue }
            if let known = first, known.at <= at {
                second = min(second ?? at, at)
            } else {
                second = first?.at
                first = (index, at)
            }
        }
        return first.map { ($0.index, second ?? Timestamp(nanoseconds: .max)) }
    }
}
