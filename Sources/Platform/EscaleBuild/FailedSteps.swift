import EscaleCore
import EscaleImages
import EscaleSystem
import Synchronization

/// What failed commands left behind, kept for somebody to look around in.
package final class FailedSteps: Sendable {
    private let store: ImageStore
    private let kept = Mutex<[String: (run: BuildRun, area: WorkArea, lease: StoreLease)]>([:])

    init(store: ImageStore) { self.store = store }

    /// Keeps a work area that would be discarded otherwise.
    ///
    /// - Returns: the name to ask for it by.
    func keep(_ run: BuildRun, _ area: WorkArea) -> String {
        let name = hexadecimal(UInt64.random(in: 0 ... .max))
        let lease = store.lease()
        kept.withLock { $0[name] = (run, area, lease) }
        return name
    }

    /// The command that failed, with the files as it left them; `nil` where there is no such failure (any more).
    package func run(_ name: String) -> BuildRun? { kept.withLock { $0[name]?.run } }

    /// Lets go of it.
    package func discard(_ name: String) async throws {
        guard let failure = kept.withLock({ $0.removeValue(forKey: name) }) else { return }
        let store = store
        try await blocking { store.discard(failure.area) }
    }
}
