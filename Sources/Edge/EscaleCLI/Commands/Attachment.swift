import EscaleAPI
import EscaleClient
import EscaleCore
import EscaleSystem
import Glibc

/// Stays with a project that was brought up: shows its output until it has ended, and stops it on Ctrl-C.
struct Attachment: Sendable {
    let client: DaemonClient
    let project: ProjectName
    /// Only these; all if empty.
    let services: [ServiceName]
    /// From when on output is shown.
    let since: Timestamp
    let stopTimeout: Duration?
    let printer: LogPrinter
    let session: Session

    private enum Outcome: Sendable {
        case logsEnded
        /// No container is left that runs or will.
        case projectEnded
        case stopped(Int32)
    }

    /// How long output may lag behind the end of its container.
    private static let drain = Duration.milliseconds(300)

    /// Returns the exit code: 0 when all containers have ended, 130 after Ctrl-C.
    func run() async throws -> Int32 {
        let (signals, feed) = AsyncStream.makeStream(of: Int32.self)
        return try await session.interrupts.handled(by: { feed.yield($0) }) {
            try await withThrowingTaskGroup(of: Outcome.self) { group in
                group.addTask { try await self.showLogs() }
                group.addTask { try await self.watchEnds() }
                group.addTask { try await self.stopOnSignal(signals) }
                defer { group.cancelAll() }
                while let outcome = try await group.next() {
                    switch outcome {
                    case .logsEnded:
                        if try await !hasEnded() { group.addTask { try await self.showLogs(since: .now, after: .seconds(1)) } }
                    case .projectEnded:
                        try await Task.sleep(for: Self.drain)
                        return 0
                    case .stopped(let code):
                        try await Task.sleep(for: Self.drain)
                        return code
                    }
                }
                return 0
            }
        }
    }

    private func showLogs(since: Timestamp? = nil, after pause: Duration = .zero) async throws -> Outcome {
        if pause > .zero { try await Task.sleep(for: pause) }
        let query = LogQuery(services: services, follow: true, since: since ?? self.since)
        try await client.logs(of: project, query) { printer.print($0) }
        return .logsEnded
    }

    /// Returns when no container is left that lives; says of each that ended how it did.
    private func watchEnds() async throws -> Outcome {
        // Something may have ended before the events are followed.
        if try await hasEnded() { return .projectEnded }
        let endings = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        return try await withThrowingTaskGroup(of: Outcome?.self) { group in
            group.addTask {
                try await self.client.events(of: self.project, follow: true, since: self.since) { event in
                    guard event.kind.hasPrefix("container.") else { return }
                    if event.kind == "container.exited", let code = event.attributes["exitCode"] {
                        self.printer.note(event.subject, "exited with code \(code)")
                    }
                    endings.continuation.yield()
                }
                endings.continuation.finish()
                return nil
            }
            group.addTask {
                for await _ in endings.stream where try await self.hasEnded() { return .projectEnded }
                return nil
            }
            defer { group.cancelAll() }
            while let outcome = try await group.next() {
                if let outcome { return outcome }
            }
            return .projectEnded
        }
    }

    private func hasEnded() async throws -> Bool {
        let containers = try await client.containers(of: project)
        return !containers.contains { $0.isLive && (services.isEmpty || services.contains($0.service)) }
    }

    /// The first signal stops the project as its services ask for, the second at once.
    private func stopOnSignal(_ signals: AsyncStream<Int32>) async throws -> Outcome {
        var iterator = signals.makeAsyncIterator()
        guard let first = await iterator.next() else { throw CancellationError() }
        session.console.print("Stopping… (press Ctrl+C again to kill)", to: .error)
        let stopping = Task { try await stop(timeout: stopTimeout) }
        let killing = Task { [signals] in
            for await _ in signals {
                session.console.print("Killing…", to: .error)
                try await stop(timeout: .zero)
                return
            }
        }
        defer { killing.cancel() }
        try await stopping.value
        return .stopped(128 + first)
    }

    /// In plain lines: the project's output goes on between them.
    private func stop(timeout: Duration?) async throws {
        let reporter = ProgressReporter(
            session.globals.progress == .auto || session.globals.progress == .tty ? .plain : session.globals.progress,
            console: session.console)
        try await client.stop(project, StopRequest(timeout: timeout)) { reporter.report($0) }
    }
}
