import EscaleAPI
import EscaleCore
import Testing

/// What a file says of addresses, interfaces and names, as it is inside the containers.
@Suite struct NetworkAddressTests {
    private static let idle = "image: busybox, command: sleep 600, stop_signal: SIGKILL"

    /// A subnet that no other test is likely to have at the same time.
    private static func block() -> String { "172.\(Int.random(in: 20...30)).\(Int.random(in: 0...255))" }

    @Test("a container has the address, the gateway, the interface and the hardware address of its file")
    func addresses() async throws {
        try await EscaleFixture.with { escale in
            let block = Self.block()
            let project = try escale.project(
                "app",
                """
                services:
                  fixed:
                    \(Self.idle.split(separator: ", ").joined(separator: "\n    "))
                    networks:
                      lan: {ipv4_address: \(block).10, mac_address: "02:AA:bb:cc:dd:ee", interface_name: lan0, priority: 10}
                      other: {gw_priority: 5}
                  floating: {\(Self.idle), networks: [lan]}
                networks:
                  other: {}
                  lan:
                    driver_opts: {com.docker.network.driver.mtu: "1300"}
                    ipam:
                      config:
                        - subnet: \(block).0/24
                          gateway: \(block).254
                          ip_range: \(block).128/28
                          aux_addresses: {printer: \(block).129}
                """
            )
            try await project.up()
            let link = try await project.shell("fixed", "ip addr show lan0")
            #expect(link.contains("mtu 1300") && link.contains("02:aa:bb:cc:dd:ee") && link.contains("inet \(block).10/32"), "\(link)")
            let routes = try await project.shell("fixed", "ip route")
            let other = try #require(try await project.container("fixed").addresses["app_other"])
            #expect(routes.contains("default via 169.254.1.1 dev lan0  src \(other)"), "gw_priority: \(routes)")
            #expect(routes.contains("\(block).0/24 via \(block).254"), "\(routes)")
            #expect(try await project.container("floating").addresses["app_lan"] == "\(block).130")
            #expect(try await project.shell("floating", "ip route").contains("default via \(block).254"))
            for target in ["\(block).10", "\(block).254"] {
                #expect(try await project.escale("exec", "floating", "ping", "-c1", "-w2", target).status == 0, "\(target)")
            }
            // Stopped and started, and made anew, it has its address still.
            try project.write("compose.override.yaml", "services: {fixed: {environment: {A: b}}}")
            try await project.up()
            #expect(try await project.container("fixed").addresses["app_lan"] == "\(block).10")
            try await project.escale("down").ok()
            let routesOfHost = try await run("ip", "-4", "route").ok()
            #expect(!routesOfHost.text.contains("\(block)."), "\(routesOfHost.text)")
        }
    }

    @Test("names are found as the file says: domains, options and hosts")
    func names() async throws {
        try await EscaleFixture.with { escale in
            let port = try FreePort.take()
            let project = try escale.project(
                "app",
                """
                services:
                  web:
                    image: busybox
                    command: sleep 600
                    stop_signal: SIGKILL
                    hostname: alpha
                    domainname: example.org
                    dns_search: [corp.example, lab.example]
                    dns_opt: ["timeout:2"]
                    extra_hosts: ["host.docker.internal:host-gateway", "db.example=10.9.8.7", "six=::1"]
                    networks: [default]
                  published:
                    image: busybox
                    command: httpd -f -p 80 -h /etc
                    stop_signal: SIGKILL
                    ports: ["\(port):80"]
                    networks: [far]
                networks:
                  far: {}
                  default: {}
                """
            )
            try await project.up()
            let hosts = try await project.shell("web", "cat /etc/hosts")
            for line in ["10.9.8.7\tdb.example", "::1\tsix", "\talpha.example.org alpha"] {
                #expect(hosts.contains(line), "\(line) in \(hosts)")
            }
            #expect(try await project.shell("web", "hostname; hostname -f; cat /proc/sys/kernel/domainname") == "alpha\nalpha.example.org\nexample.org")
            let resolver = try await project.shell("web", "cat /etc/resolv.conf")
            #expect(resolver.contains("search corp.example lab.example\noptions timeout:2 ndots:0"), "\(resolver)")
            #expect(try await project.shell("web", "timeout 1 nslookup published >/dev/null 2>&1 || echo unknown") == "unknown")
            // By the host's name it reaches what is published, though the service is on another network.
            let isReached = try await poll(until: { $0 }) {
                try await project.escale("exec", "web", "sh", "-c", "timeout 2 wget -q -O - http://host.docker.internal:\(port)/hostname").status == 0
            }
            #expect(isReached, "host-gateway reaches the published port")
        }
    }

    @Test("an address that can't be had is an error that names the service and who has it")
    func mistakes() async throws {
        try await EscaleFixture.with { escale in
            let block = Self.block()
            let first = try escale.project(
                "first",
                """
                services: {a: {\(Self.idle)}}
                networks: {default: {name: shared, ipam: {config: [{subnet: \(block).0/24}]}}}
                """
            )
            try await first.up()
            let taken = try #require(try await first.container("a").addresses["shared"])
            func failure(_ yaml: String) async throws -> String {
                let project = try escale.project("second", yaml)
                let result = try await project.escale("up", "-d")
                #expect(result.status != 0, "\(yaml)")
                try await project.escale("down").ok()
                return result.text
            }
            func joining(_ address: String) -> String {
                """
                services: {b: {\(Self.idle), networks: {default: {ipv4_address: \(address)}}}}
                networks: {default: {name: shared, external: true}}
                """
            }
            #expect(try await failure(joining(taken)).contains("service b: the address \(taken) on network shared is taken by container first-a-1"))
            #expect(try await failure(joining("\(block).1")).contains("service b: the address \(block).1 on network shared is taken by the host"))
            #expect(try await failure(joining("10.1.2.3")).contains("service b: 10.1.2.3 is no address of network shared"))
            let overlap = try await failure(
                "services: {b: {\(Self.idle)}}\nnetworks: {default: {ipam: {config: [{subnet: \(block).128/25}]}}}"
            )
            #expect(overlap.contains("network shared of project first has \(block).0/24"), "\(overlap)")
            // A network that exists doesn't move under its containers.
            try first.write(
                "compose.yaml",
                "services: {a: {\(Self.idle)}}\nnetworks: {default: {name: shared, ipam: {config: [{subnet: 172.31.0.0/24}]}}}"
            )
            let moved = try await first.escale("up", "-d")
            #expect(moved.status != 0 && moved.text.contains("network shared exists with the addresses \(block).0/24"), "\(moved)")
        }
    }
}
