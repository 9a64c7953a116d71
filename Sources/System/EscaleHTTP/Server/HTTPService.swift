import Synchronization

/// What the connections of one server share.
final class HTTPService: Sendable {
    let bodyLimit: Int
    let handler: HTTPServer.Handler
    let receiver: HTTPServer.ReceiverChoice?
    private let active = Atomic(0)

    init(bodyLimit: Int, receiver: HTTPServer.ReceiverChoice?, handler: @escaping HTTPServer.Handler) {
        self.receiver = receiver
        self.bodyLimit = bodyLimit
        self.handler = handler
    }

    /// Requests from their first header to the last byte of their answer.
    var activeRequests: Int { active.load(ordering: .acquiring) }

    func requestBegan() { active.add(1, ordering: .acquiringAndReleasing) }
    func requestEnded() { active.subtract(1, ordering: .acquiringAndReleasing) }
}
