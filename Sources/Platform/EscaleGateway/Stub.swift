package import EscaleCore
package import EscaleNetlink
import EscaleCompose
package import EscaleSystem
package actor Gateway {
    package nonisolated var accessLogFile: String { "" }
    package init(directory: String, log: Log) throws(EscaleError) {}
    package func apply(_ state: GatewayState) async throws {}
    package func verify() async throws -> Bool { false }
    package func tearDown() async throws {}
    package func sessions(of container: ContainerID) async throws -> Int { 0 }
}
package struct AccessLogEntry: Hashable, Sendable {
    package var time: Timestamp
    package var server: IPv4Address?
    package var status: Int
    package var milliseconds: Int
    package var termination: Termination
    package struct Termination: Hashable, Sendable { package var isByClient: Bool }
}
package struct AccessLogReader: Sendable {
    package init(path: String) {}
    package mutating func skipToEnd() throws(EscaleError) {}
    package mutating func next() throws(EscaleError) -> [AccessLogEntry] { [] }
}
