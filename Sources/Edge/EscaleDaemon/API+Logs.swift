import EscaleAPI
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
            throw EscaleError(
                .init("service.unknown"), "project \(name) has no container of a service \(service)",
                hint: "`escale ps -a` shows what there is")
        }
        return .stream(headers: Self.headers("application/x-ndjson")) { writer in
            var follower = LogFollower(engine: platform.engine, selection: selection)
            for record in try await follower.next(containers) { try await writer.write(line: record) }
            guard selection.follow else { return }
            var idle = 0
            while !Task.isCancelled {
                // Containers that come later are followed too; when none is left and none is coming, it ends.
                let current = await supervisor.containers(of: name).filter { selection.includes($0) }
                let records = try await follower.next(current)
                for record in records { try await writer.write(line: record) }
                let isOver = !current.contains { $0.state == .running || $0.state == .restarting || $0.state == .created }
                if records.isEmpty && isOver { idle += 1 } else { idle = 0 }
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

    init(_ request: HTTPRequest) throws(EscaleError) {
        services = request.query.all("service").map(ServiceName.init(rawValue:))
        follow = request.query["follow"] == "1"
        since = request.query["since"].flatMap { Timestamp($0) }
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
        services.isEmpty || services.contains(container.service)
    }
}

/// Reads several containers' logs forward, merged by time within each reading.
private struct LogFollower: Sendable {
    let engine: any ContainerEngine
    let selection: LogSelection
    private var readers: [ContainerID: ContainerLogReader] = [:]
    private var isFirst = true

    init(engine: any ContainerEngine, selection: LogSelection) {
        self.engine = engine
        self.selection = selection
    }

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
        var records: [LogRecord] = []
        for container in containers {
            var reader: ContainerLogReader
            if let known = readers[container.id] {
                reader = known
            } else {
                reader = engine.log(of: container.id)
                if isFirst, let tail = selection.tail { try reader.skip(toLast: tail) }
            }
            while true {
                let lines = try reader.next()
                if lines.isEmpty { break }
                records += lines.map { line in
                    LogRecord(
                        container: container.name, service: container.service,
                        stream: line.stream == .stdout ? .stdout : .stderr, at: line.at,
                        line: String(decoding: line.text, as: UTF8.self))
                }
            }
            readers[container.id] = reader
        }
        isFirst = false
        if let since = selection.since { records.removeAll { $0.at < since } }
        return records.enumerated().sorted { ($0.element.at, $0.offset) < ($1.element.at, $1.offset) }.map(\.element)
    }
}
