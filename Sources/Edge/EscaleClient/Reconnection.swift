import EscaleCore

/// For those who follow what outlives the daemon: when it goes away they ask the next one.
package enum Reconnection {
    /// How long to wait before asking again.
    package static let pause = Duration.milliseconds(200)

    /// Absorbs that the connection to the daemon broke; throws whatever else the body does.
    package static func untilLost(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let error as EscaleError where error.code == .daemonLost {
            return
        }
    }
}
