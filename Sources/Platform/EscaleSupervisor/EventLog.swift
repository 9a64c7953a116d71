import EscaleAPI
import EscaleCore
import EscaleSystem

/// What happened, kept and told: every event goes to the store, to the daemon's log and to those who follow.
struct EventLog: Sendable {
    let store: StateStore
    let log: Log
    private let broadcast = Broadcast<Event>()

    init(store: StateStore, log: Log) {
        self.store = store
        self.log = log
    }

    func record(
        _ kind: String, _ subject: String, of project: ProjectName, _ attributes: [String: String] = [:]
    ) {
        let event = Event(at: .now, project: project, kind: kind, subject: subject, attributes: attributes)
        do {
            try store.append(event)
        } catch {
            log.error("an event can't be kept", ["error": "\(error)"])
        }
        log.info(
            "event",
            [
                "project": project.rawValue, "kind": kind, "subject": subject,
                "data": attributes.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " "),
            ])
        broadcast.send(event)
    }

    func follow() -> AsyncStream<Event> { broadcast.listen() }
}
