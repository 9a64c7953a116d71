import EscaleCore
import EscaleNetlink
import EscaleNetwork
import EscaleSystem
import Glibc
import Synchronization
import Testing

/// A process in a network namespace of its own, standing for a container (or for a machine outside).
struct Box: Sendable {
    let child: ChildProcess
    let endpoint: Endpoint?
    let resolvConf: String

    var pid: Int32 { child.pid }
    func address(_ index: Int = 0) -> String { endpoint?.addresses[index].address.description ?? "none" }
}

/// The hosts that the resolver of a test's machine knows.
final class HostDirectory: Sendable {
    private let hosts = Mutex<[String: HostAnswer]>([:])

    subscript(host: String) -> HostAnswer? {
        get { hosts.withLock { $0[host] } }
        set { hosts.withLock { $0[host] = newValue } }
    }
}

/// An instance of Escale's network with containers on it. Everything it makes is gone when the body is over.
actor World {
    let scratch: String
    let instance: NetworkInstance
    /// What hosts outside are.
    nonisolated let hosts = HostDirectory()
    private(set) var controller: NetworkController
    var state = NetworkState()
    private var cleanUp: [@Sendable () async -> Void] = []
    private var last: UInt8 = 10

    /// Runs the body in a fresh world, on an instance that no other test has.
    static func with(_ body: (World) async throws -> Void) async throws {
        try await withScratch { scratch in
            let slots = InstanceSlots()
            let instance = try await blocking { try slots.claim(root: scratch) }
            do {
                let world = try World(scratch: scratch, instance: instance)
                do {
                    try await body(world)
                } catch {
                    await world.end()
                    throw error
                }
                await world.end()
            } catch {
                try slots.release(root: scratch)
                throw error
            }
            try slots.release(root: scratch)
        }
    }

    private init(scratch: String, instance: NetworkInstance) throws {
        self.scratch = scratch
        self.instance = instance
        for (name, text) in Scripts.all { try Files.write("\(scratch)/\(name)", text.utf8) }
        try Files.write("\(scratch)/upstream.conf", "nameserver 198.51.100.2\n".utf8)
        controller = try Self.controller(scratch, instance, hosts)
    }

    private static func controller(
        _ scratch: String, _ instance: NetworkInstance, _ directory: HostDirectory
    ) throws -> NetworkController {
        try NetworkController(
            instance: instance, runtimeDirectory: "\(scratch)/run", upstreamFile: "\(scratch)/upstream.conf",
            lookup: { directory[$0] }, lookupInterval: .milliseconds(20), log: Log(level: .error))
    }

    private func end() async {
        for step in cleanUp.reversed() { await step() }
        do {
            try await controller.tearDown()
            try await expectNothingLeft()
        } catch {
            Issue.record(error)
        }
    }

    private func expectNothingLeft() async throws {
        let (tables, addresses, routes) = try await blocking {
            (
                try NFTables().run("list tables"), try HostAddresses.assigned(IPv4Address.self),
                try HostAddresses.routes(IPv4Address.self)
            )
        }
        #expect(!tables.split(separator: "\n").contains { $0.hasSuffix(" \(instance.table)") })
        #expect(addresses.filter { instance.pool.contains($0.address) }.isEmpty)
        #expect(routes.filter { instance.pool.contains($0.destination) && $0.link == "lo" }.isEmpty)
        let addresses6 = try await blocking { try HostAddresses.assigned(IPv6Address.self) }
        let routes6 = try await blocking { try HostAddresses.routes(IPv6Address.self) }
        #expect(addresses6.filter { instance.pool6.contains($0.address) }.isEmpty)
        #expect(routes6.filter { instance.pool6.contains($0.destination) && $0.link == "lo" }.isEmpty)
    }

    /// A new daemon in place of the old one, which was killed.
    func restart() throws { controller = try Self.controller(scratch, instance, hosts) }

    // MARK: Building

    /// The `index`th address block of the instance as a network.
    @discardableResult
    func addNetwork(_ name: String, internal isInternal: Bool = false) throws -> NetworkName {
        let block = try #require(instance.freeNetwork(excluding: state.networks.map(\.subnet)))
        state.networks.append(AttachedNetwork(name: network(name), subnet: block, isInternal: isInternal))
        return network(name)
    }

    /// A started container; the state has it, but it isn't applied.
    func addContainer(_ names: [String] = [], on networks: [NetworkName], servers: [String] = []) async throws -> Box
    {
        let (child, number) = (try await namespace(), nextNumber())
        var generator = SystemRandomNumberGenerator()
        let addresses = try networks.map { name in
            let network = try #require(state.networks.first { $0.name == name })
            let place = network.subnet.address.advanced(by: UInt32(number))
            return Endpoint.Address(network: name, address: place, names: names)
        }
        let endpoint = Endpoint(container: ContainerID(using: &generator), addresses: addresses, servers: servers)
        try await controller.attach(endpoint, networks: state.networks, pid: child.pid)
        state.endpoints.append(endpoint)
        let resolver = try await controller.resolver(for: endpoint.scope)
        let resolvConf = "\(scratch)/resolv-\(child.pid)"
        try Files.write(resolvConf, NameFiles.resolvConf(servers: ["\(resolver)"]).utf8)
        return Box(child: child, endpoint: endpoint, resolvConf: resolvConf)
    }

    /// A machine on the host's link 198.51.100.0/24 (this end .1, that end .2), with a default route to the host.
    func addOutside() async throws -> Box {
        let child = try await namespace()
        let name = "out-\(child.pid)"
        cleanUp.append { _ = try? await Command("/usr/sbin/ip", ["link", "del", name]).run() }  // may be gone already
        try await ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", "\(child.pid)")
        try await ip("addr", "add", "198.51.100.1/24", "dev", name)
        try await ip("link", "set", name, "up")
        let box = Box(child: child, endpoint: nil, resolvConf: "/etc/resolv.conf")
        for command in ["addr add 198.51.100.2/24 dev eth0", "link set lo up", "link set eth0 up",
            "route add default via 198.51.100.1"]
        {
            let result = try await run(in: box, ["/usr/sbin/ip"] + command.split(separator: " ").map(String.init))
            try #require(result.isEmpty, "\(result)")
        }
        return box
    }

    func addService(_ name: String, on network: NetworkName, _ boxes: [Box], weights: [Int]? = nil) throws -> String {
        let subnet = try #require(state.networks.first { $0.name == network }).subnet
        let address = subnet.address.advanced(by: UInt32(nextNumber()))
        let backends = try boxes.enumerated().map { index, box in
            let place = try #require(box.endpoint?.addresses.first { $0.network == network })
            return ServiceBackend(address: place.address, weight: weights?[index] ?? 1)
        }
        state.services.append(VirtualService(network: network, address: address, names: [name], backends: backends))
        return address.description
    }

    func publish(_ port: PublishedPort) { state.ports.append(port) }
    func change(_ body: (inout NetworkState) -> Void) { body(&state) }
    func apply() async throws { try await controller.apply(state) }

    private func nextNumber() -> UInt8 {
        last += 1
        return last
    }

    private func namespace() async throws -> ChildProcess {
        let null = try FileDescriptor("/dev/null", O_RDWR)
        let before = "\(try #require(linkOf("/proc/self/ns/net")))"
        let child = try await Command("/usr/bin/unshare", ["-n", "/usr/bin/sleep", "1000"])
            .blockingSpawn([null, null, null])
        cleanUp.append { await stop(child) }
        while linkOf("/proc/\(child.pid)/ns/net") == before { try await Task.sleep(for: .milliseconds(1)) }
        return child
    }

    private func ip(_ arguments: String...) async throws {
        let result = try await Command("/usr/sbin/ip", arguments).run()
        try #require(result.status == 0, "\(result.text)")
    }

    // MARK: Using

    /// Starts `serve.py` in the box and waits until it listens.
    func serve(_ name: String, _ port: Int, in box: Box?) async throws {
        let ready = "\(scratch)/ready-\(name)-\(port)"
        let null = try FileDescriptor("/dev/null", O_RDWR)
        let log = try FileDescriptor("\(scratch)/log-\(name)", O_WRONLY | O_CREAT)
        let child = try await command(in: box, python("serve.py", [ready, name, "\(port)"]))
            .blockingSpawn([null, log, log])
        cleanUp.append { await stop(child) }
        for _ in 0..<12000 where !Files.exists(ready) { try await Task.sleep(for: .milliseconds(5)) }
        let output = try Files.readText("\(scratch)/log-\(name)")
        try #require(Files.exists(ready), "\(output)")
    }

    /// What `call.py` says, a line per call. Without a box it is the host that calls.
    func call(
        from box: Box?, over kind: String = "tcp", _ host: String, _ port: Int, count: Int = 1, patience: Double = 30,
        source: String? = nil
    ) async throws -> [String] {
        let arguments = [kind, host, "\(port)", "\(count)", "\(patience)"] + (source.map { [$0] } ?? [])
        return try await run(in: box, python("call.py", arguments)).split(separator: "\n").map(String.init)
    }

    /// What `ask.py` says of a name, asked of the box's own resolver, or another one. Type 1 is A, 28 AAAA.
    func ask(from box: Box, over kind: String = "udp", _ name: String, type: Int = 1, of server: String? = nil) async throws
        -> String
    {
        let output = try await run(in: box, python("ask.py", [kind, server ?? resolver(of: box), name, "\(type)"]))
        return output.split(separator: "\n").map(String.init).joined(separator: "; ")
    }

    /// The callers that the server of that name has seen.
    func callers(of name: String) throws -> Set<String> {
        let lines = try Files.readText("\(scratch)/log-\(name)").split(separator: "\n")
        return Set(lines.filter { $0.hasPrefix("from ") }.map { String($0.dropFirst(5)) })
    }

    /// Asks the address by UDP from one socket before and after the body; answers who answered.
    func stick(from box: Box, to host: String, _ port: Int, while body: () async throws -> Void) async throws -> String {
        let file = "\(scratch)/stick"
        async let output = run(in: box, python("stick.py", [host, "\(port)", file]))
        for _ in 0..<12000 where !Files.exists("\(file).asked") { try await Task.sleep(for: .milliseconds(5)) }
        try await body()
        try Files.write(file, [])
        return try await output.split(separator: "\n").joined()
    }

    func resolver(of box: Box) throws -> String {
        String(try Files.readText(box.resolvConf).split(separator: "\n")[0].split(separator: " ")[1])
    }

    func run(in box: Box?, _ arguments: [String]) async throws -> String {
        try await command(in: box, arguments).run(timeout: .seconds(300)).text
    }

    private func python(_ script: String, _ arguments: [String]) -> [String] {
        ["/usr/bin/python3", "-I", "-S", "\(scratch)/\(script)"] + arguments
    }

    private func command(in box: Box?, _ arguments: [String]) -> Command {
        guard let box else { return Command(arguments[0], Array(arguments.dropFirst())) }
        let names = PrivateMount(
            source: box.resolvConf, target: "/etc/resolv.conf", type: "none", flags: PrivateMount.bind)
        return Command(
            "/usr/bin/nsenter", ["--net=/proc/\(box.pid)/ns/net"] + arguments, namespace: MountNamespace(mounts: [names]))
    }
}

private func stop(_ child: ChildProcess) async {
    child.signal(SIGKILL)
    _ = try? await child.wait()  // reaped is all that matters
}

private func linkOf(_ path: String) -> String? {
    var buffer = [CChar](repeating: 0, count: 64)
    let count = readlink(path, &buffer, 63)
    return count < 0 ? nil : String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
