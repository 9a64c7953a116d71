package import EscaleNetlink
import EscaleSystem
import Glibc

/// The addresses of a host outside by which containers may reach it; in order, so that equal ones are equal.
package struct HostAnswer: Hashable, Codable, Sendable {
    package var ipv4: [IPv4Address] = []
    package var ipv6: [IPv6Address] = []

    package init(ipv4: [IPv4Address] = [], ipv6: [IPv6Address] = []) {
        self.ipv4 = ipv4
        self.ipv6 = ipv6
    }

    /// What is written as an address stands for itself; `nil` for a name.
    package init?(literal text: String) {
        if let address = IPv4Address(text) {
            self.init(ipv4: [address])
        } else if let address = IPv6Address(text) {
            self.init(ipv6: [address])
        } else {
            return nil
        }
    }

    package var isEmpty: Bool { ipv4.isEmpty && ipv6.isEmpty }
    var description: String { (ipv4.map(\.description) + ipv6.map(\.description)).joined(separator: " ") }
}

/// Asks the host's own resolver, as its programs do: `/etc/hosts`, then the servers of `/etc/resolv.conf`.
package enum HostLookup {
    /// What the resolver says within that time; `nil` where it says nothing, or that there is no such host.
    package static func answer(of host: String, within limit: Duration) async -> HostAnswer? {
        await within(limit) { await answer(of: host) }
    }

    static func within(_ limit: Duration, _ ask: @escaping @Sendable () async -> HostAnswer?) async -> HostAnswer? {
        let (answers, continuation) = AsyncStream.makeStream(of: HostAnswer?.self)
        // Nothing ends a lookup early, so that it may go on for a while when nobody waits for it any more.
        Task { continuation.yield(await ask()) }
        let deadline = Task {
            // Cancelled where the answer came first.
            try? await Task.sleep(for: limit)
            continuation.finish()
        }
        defer { deadline.cancel() }
        for await answer in answers { return answer }
        return nil
    }

    /// The same, however long it takes.
    package static func answer(of host: String) async -> HostAnswer? {
        if let literal = HostAnswer(literal: host) { return literal }
        // The resolver's reasons are many, and all mean the same here.
        let answer = try? await blocking { ask(host) }
        return answer?.isEmpty == false ? answer : nil
    }

    private static func ask(_ host: String) -> HostAnswer {
        var wanted = addrinfo()
        wanted.ai_family = AF_UNSPEC
        wanted.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var first: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &wanted, &first) == 0 else { return HostAnswer() }
        defer { freeaddrinfo(first) }
        var ipv4: Set<IPv4Address> = []
        var ipv6: Set<IPv6Address> = []
        var next = first
        while let entry = next {
            defer { next = entry.pointee.ai_next }
            guard let address = UnsafeRawPointer(entry.pointee.ai_addr) else { continue }
            switch entry.pointee.ai_family {
            case AF_INET:
                let found = address.loadUnaligned(as: sockaddr_in.self).sin_addr
                ipv4.insert(IPv4Address(rawValue: UInt32(bigEndian: found.s_addr)))
            case AF_INET6:
                let found = address.loadUnaligned(as: sockaddr_in6.self).sin6_addr
                ipv6.insert(IPv6Address(rawValue: withUnsafeBytes(of: found) { UInt128(bigEndian: $0.loadUnaligned(as: UInt128.self)) }))
            default: break
            }
        }
        // By those everybody reaches themselves.
        return HostAnswer(
            ipv4: ipv4.filter { $0.bytes.first != 127 }.sorted(), ipv6: ipv6.filter { $0.rawValue != 1 }.sorted())
    }
}
