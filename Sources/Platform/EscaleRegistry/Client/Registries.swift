package import EscaleAPI
import EscaleCore
import EscaleHTTP
package import EscaleImages
import EscaleOCI
import EscaleSystem
import Synchronization

/// Pulls images into the store and pushes them out of it.
package final class Registries: Sendable {
    /// What happens to one part of an image.
    package struct Event: Sendable {
        /// Such as `4f53cda18c2b` for a layer.
        package let part: String
        package let text: String
        package let isDone: Bool
        package let amount: ProgressEvent.Amount?
    }

    package typealias Progress = @Sendable (Event) -> Void

    let store: ImageStore
    private let configurationFile: String
    let downloads = KeyedLock<Digest>()

    /// How many blobs of an image move at a time.
    static let parallelBlobs = 4

    /// - Parameter configurationFile: see ``RegistryConfiguration``; read at each use.
    package init(store: ImageStore, configurationFile: String = "/etc/escale/registries.yaml") {
        self.store = store
        self.configurationFile = configurationFile
    }

    func configuration() async throws -> RegistryConfiguration {
        let file = configurationFile
        return try await blocking { try RegistryConfiguration(file: file) }
    }

    /// Whether the registry lets the user in.
    ///
    /// - Throws: `registry.denied` where not; `registry.*`, `http.*`.
    package func logIn(_ host: String, _ credential: RegistryCredential) async throws {
        let connection = try RegistryConnection(
            host,
            configuration: try await configuration(),
            credential: credential
        )
        _ = try await connection.send(.init(.get, "/v2/", scopes: [], what: "its API"))
    }
}

/// Reports a transfer's amount, a few times a second at most.
final class AmountReport: Sendable {
    private struct State {
        var done: Int64 = 0
        var last: ContinuousClock.Instant?
    }

    private let state = Mutex(State())
    private let part: String
    private let text: String
    private let total: Int64
    private let progress: Registries.Progress

    init(_ part: String, _ text: String, total: Int64, _ progress: @escaping Registries.Progress) {
        self.part = part
        self.text = text
        self.total = total
        self.progress = progress
    }

    func add(_ count: Int) { set { $0 + Int64(count) } }
    func set(to done: Int64) { set { _ in done } }

    private func set(_ change: (Int64) -> Int64) {
        let now = ContinuousClock.now
        let due = state.withLock { state -> Int64? in
            state.done = change(state.done)
            if let last = state.last, now - last < .milliseconds(150) { return nil }
            state.last = now
            return state.done
        }
        if let due {
            progress(.init(part: part, text: text, isDone: false, amount: .init(done: due, total: total)))
        }
    }
}
