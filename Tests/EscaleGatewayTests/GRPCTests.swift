import EscaleCompose
import EscaleCore
import EscaleGateway
import EscaleSystem
import EscaleTestSupport
import Testing

/// gRPC through the gateway, with gRPC's own Python library at both ends.
@Suite struct GRPCTests {
    @Test func callsAreSharedOutAndStreamsOutliveADrain() async throws {
        try await Fixture.with { f in
            for last in [UInt8(10), 11] {
                _ = try await f.spawn(Command("/usr/bin/python3", ["-c", serverScript, "\(last)", "\(f.address(last)):9000"]))
            }
            var state = f.state([f.server(10)])
            state.backends[0].applicationProtocol = .grpc
            try await f.gateway.apply(state)

            async let stream = call(f, streamScript, f.scratch.path)
            try await f.scratch.wait(for: "streaming")
            state.backends[0].servers[0].isTaking = false
            state.backends[0].servers.append(f.server(11))
            try await f.gateway.apply(state)
            #expect(try await call(f, callScript, "Echo") == "11 hello\n", "a new call goes to the new replica")
            #expect(try await f.gateway.sessions(of: f.server(10).container) == 1)
            try f.scratch.file("enough", "")
            #expect(try await stream == "10 of 10\n", "an open stream stays with its replica to the end")

            state.backends[0].servers[0].isTaking = true
            try await f.gateway.apply(state)
            let both = try await call(f, callScript, "Echo", "Echo", "Echo", "Echo")
            #expect(Set(both.split(separator: "\n")) == ["10 hello", "11 hello"], "one connection, several replicas")
            #expect(try await call(f, callScript, "Fail") == "FAILED_PRECONDITION not yet\n")
        }
    }

    private func call(_ f: Fixture, _ script: String, _ arguments: String...) async throws -> String {
        let target = "\(f.address(1)):8080"
        let result = try await Command("/usr/bin/python3", ["-c", script, target] + arguments).run(timeout: .seconds(90))
        return result.text
    }
}

extension ScratchDirectory {
    /// Waits until the file is there, half a minute at most.
    fileprivate func wait(for name: String) async throws {
        for _ in 0..<1500 where !Files.exists(self(name)) { try await Task.sleep(for: .milliseconds(20)) }
        try #require(Files.exists(self(name)), "\(name) was never written")
    }
}

/// Answers with its number and what it was sent, once or as often as it is sent something.
private let serverScript = #"""
import sys
from concurrent import futures
import grpc
name = sys.argv[1].encode()
def echo(request, context): return name + b" " + request
def fail(request, context): context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not yet")
def talk(requests, context):
    for request in requests: yield name
class Handlers(grpc.GenericRpcHandler):
    def service(self, call):
        return {"/test.Test/Echo": grpc.unary_unary_rpc_method_handler(echo),
                "/test.Test/Fail": grpc.unary_unary_rpc_method_handler(fail),
                "/test.Test/Talk": grpc.stream_stream_rpc_method_handler(talk)}.get(call.method)
server = grpc.server(futures.ThreadPoolExecutor(8))
server.add_generic_rpc_handlers((Handlers(),))
server.add_insecure_port(sys.argv[2])
server.start()
server.wait_for_termination()
"""#

/// Calls each method named, over one connection, and prints what it answers.
private let callScript = #"""
import sys
import grpc
channel = grpc.insecure_channel(sys.argv[1])
for method in sys.argv[2:]:
    try:
        print(channel.unary_unary(f"/test.Test/{method}")(b"hello", timeout=30, wait_for_ready=True).decode())
    except grpc.RpcError as error:
        print(error.code().name, error.details())
"""#

/// Talks in one stream until the file `enough` is there, and prints who answered, and who last.
private let streamScript = #"""
import os, sys, time
import grpc
directory = sys.argv[2]
def requests():
    yield b"begin"
    while not os.path.exists(f"{directory}/enough"):
        yield b"more"
        time.sleep(0.05)
    yield b"end"
seen = set()
talk = grpc.insecure_channel(sys.argv[1]).stream_stream("/test.Test/Talk")
for attempt in range(100):
    try:
        for answer in talk(requests(), timeout=60):
            seen.add(answer.decode())
            last = answer.decode()
            open(f"{directory}/streaming", "w").close()
        print(last, "of", ",".join(sorted(seen)))
        break
    except grpc.RpcError as error:
        if seen: raise
        time.sleep(0.1)  # the server isn't up yet
"""#
