import EscaleAPI
import EscaleClient
import EscaleCore
import EscaleSystem
import Synchronization

/// Stays with a project that was brought up: shows its output until it has ended, and stops it on Ctrl-C.
///
/// Outlives the daemon: when that is killed, the next one is started and followed from where the last one was.
struct Attachment: Sendable {
    let client: DaemonClient
    let project: ProjectName
    /// Only these are waited for.
    let services: Set<ServiceName>
    /// Only these are shown.
    let shown: Set<ServiceName>
    let ending: Ending
    /// From when on output is shown.
    let since: Timestamp
    let stopTimeout: Duration?
    let printer: LogPrinter
    let session: Session

    /// When the project is stopped without anybody's doing.
    enum Ending: Sendable {
        /// Never: it ends by itself.
        case withLast
        /// When a container has ended; with the service's exit code, or that of the one that ended.
        case withFirst(codeOf: ServiceName?)
        /// When a container has ended with an error.
        case withFirstFailure
    }

    private enum Outcome: Sendable {
        /// A container ended, and the project shall with it.
        case ended(ContainerEnd)
        /// No container lives, and all that they wrote is shown.
        case logsEnded
        case eventsEnded
        case stopped
        /// Output that has not come by now is not waited for.
        case drained
    }

    /// How long output may lag behind the end of its container.
    private static let drain = Duration.seconds(2)

    /// Returns the exit code: 0 when all containers have ended, 130 after Ctrl-C.
    func run() async throws -> Int32 {
        let (signals, feed) = AsyncStream.makeStream(of: Int32.self)
        let first = FirstSignal()
        let handler: Interrupts.Handler = { signal in
            first.note(signal)
            feed.yield(signal)
        }
        return try await session.interrupts.handled(by: handler) {
            try await withThrowingTaskGroup(of: Outcome.self) { group in
                group.addTask { try await self.showLogs() }
                group.addTask { try await self.tellEnds() }
                group.addTask { try await self.stopOnSignal(signals) }
                if case .withLast = ending {} else { group.addTask { try await self.firstEnd() } }
                defer { group.cancelAll() }
                var exitCode: Int32?
                var logsEnded = false
                var stopped = false
                while let outcome = try await group.next() {
                    switch outcome {
                    case .eventsEnded: continue
                    case .ended(let end):
                        exitCode = end.exitCode
                        session.console.print("Aborting: \(end.container.name) has ended", to: .error)
                        try await stop(timeout: stopTimeout)
                        stopped = true
                        if case .withFirst(codeOf: let service?) = ending { exitCode = try await code(of: service) }
                        group.addTask {
                            try await Task.sleep(for: Self.drain)
                            return .drained
                        }
                    case .logsEnded: logsEnded = true
                    case .stopped:
                        stopped = true
                        group.addTask {
                            try await Task.sleep(for: Self.drain)
                            return .drained
                        }
                    case .drained: logsEnded = true
                    }
                    if logsEnded && (stopped || first.signal == nil) { break }
                }
                if let exitCode { return exitCode }
                return first.signal.map { 128 + $0 } ?? 0
            }
        }
    }

    /// Waits for a container that ends the project with its own end.
    private func firstEnd() async throws -> Outcome {
        var waiting: Set<ContainerID> = []
        return try await withThrowingTaskGroup(of: ContainerEnd?.self) { group in
            defer { group.cancelAll() }
            while true {
                // Containers may come later, in the place of others too.
                let all = try await client.containers(of: project)
                for container in all where services.contains(container.service) && waiting.insert(container.id).inserted {
                    guard container.state != .created else {
                        waiting.remove(container.id)
                        continue
                    }
                    group.addTask { try? await client.awaitEnd(of: container.id.rawValue) }
                }
                group.addTask {
                    try await Task.sleep(for: .milliseconds(200))
                    return nil
                }
                guard let end = try await group.next() ?? nil else { continue }
                let now = try await client.containers(of: project).first { $0.id == end.container.id }
                // One that its policy starts again goes on.
                guard now?.state != .restarting, now?.isRunning != true else {
                    waiting.remove(end.container.id)
                    continue
                }
                if case .withFirstFailure = ending, end.exitCode == 0 { continue }
                return .ended(end)
            }
        }
    }

    private func code(of service: ServiceName) async throws -> Int32 {
        try await client.containers(of: project).last { $0.service == service }?.exitCode ?? 0
    }

    private func showLogs() async throws -> Outcome {
        var from = since
        while true {
            try await Reconnection.untilLost {
                try await client.logs(of: project, LogQuery(follow: true, since: from)) { record in
                    from = max(from, record.at + .nanoseconds(1))
                    if shown.contains(record.service) { printer.print(record) }
                }
            }
            if try await hasEnded() { return .logsEnded }
            try await Task.sleep(for: Reconnection.pause)
        }
    }

    /// Says of each container that ended how it did.
    private func tellEnds() async throws -> Outcome {
        var from = since
        while true {
            try await Reconnection.untilLost {
                try await client.events(of: project, follow: true, since: from) { event in
                    from = max(from, event.at + .nanoseconds(1))
                    if event.kind == "container.exited" {
                        let code = event.attributes["exitCode"].map { " with code \($0)" } ?? ""
                        printer.note(event.subject, "exited\(code)")
                    }
                }
            }
            try await Task.sleep(for: Reconnection.pause)
        }
    }

    private func hasEnded() async throws -> Bool {
        while true {
            var containers: [ContainerSummary]?
            try await Reconnection.untilLost { containers = try await client.containers(of: project) }
            if let containers {
                return !containers.contains { $0.isLive && services.contains($0.service) }
            }
            try await Task.sleep(for: Reconnection.pause)
        }
    }

    /// The first signal stops the project as its services ask for, the second at once.
    private func stopOnSignal(_ signals: AsyncStream<Int32>) async throws -> Outcome {
        var received = 0
        return try await withThrowingTaskGroup(of: Outcome?.self) { group in
            group.addTask {
                for await _ in signals { return nil }
                throw CancellationError()
            }
            defer { group.cancelAll() }
            while let outcome = try await group.next() {
                if let outcome { return outcome }
                received += 1
                let isFirst = received == 1
                session.console.print(
                    isFirst ? "Stopping… (press Ctrl-C again to kill)" : "Killing…",
                    to: .error
                )
                let timeout = isFirst ? stopTimeout : .zero
                group.addTask {
                    try await self.stop(timeout: timeout)
                    return .stopped
                }
                if isFirst {
                    group.addTask {
                        for await _ in signals { return nil }
                        throw CancellationError()
                    }
                }
            }
            throw CancellationError()
        }
    }

    /// In plain lines: the project's output goes on between them.
    private func stop(timeout: Duration?) async throws {
        let mode = session.globals.progress
        let reporter = ProgressReporter(
            mode == .auto || mode == .tty ? .plain : mode,
            console: session.console
        )
        _ = try await client.perform(project, ServicesRequest(.stop, timeout: timeout)) { reporter.report($0) }
    }
}

/// The first signal that came while a project was attached.
private final class FirstSignal: Sendable {
    private let state = Mutex<Int32?>(nil)
    var signal: Int32? { state.withLock { $0 } }
    func note(_ signal: Int32) { state.withLock { $0 = $0 ?? signal } }
}
