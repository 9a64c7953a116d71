import EscaleArchive
import EscaleCore
import EscaleImages
import EscaleOCI
import EscaleSystem
import Foundation
import Testing

@Suite struct AptSourcesTests {
    @Test func takesTheDistributionsOwnSources() {
        var sources = AptSources(codename: "bookworm")
        sources.add(
            deb822: """
                # A comment
                Types: deb deb-src
                # another
                URIs: http://deb.debian.org/debian
                Suites: bookworm bookworm-updates
                Components: main
                 contrib
                Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

                Types: deb
                URIs: https://example.org/node
                Suites: nodistro
                Components: main

                Types: deb
                URIs: https://example.org/docker
                Suites: bookworm
                Components: stable

                Enabled: no
                Types: deb
                URIs: http://deb.debian.org/debian
                Suites: bookworm
                Components: main
                """
        )
        sources.add(
            lines: """
                # deb http://commented.example.org bookworm main
                deb [arch=amd64,i386 signed-by=/k.gpg] http://security.debian.org bookworm-security main # why
                deb http://deb.debian.org/debian bookworm-backports main
                deb https://example.org/cloud cloud-sdk-bookworm main
                deb-src http://deb.debian.org/debian bookworm main
                """
        )
        #expect(
            sources.text == """
                Types: deb deb-src
                URIs: http://deb.debian.org/debian
                Suites: bookworm bookworm-updates
                Components: main
                 contrib
                Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

                Types: deb
                URIs: http://security.debian.org
                Suites: bookworm-security
                Components: main
                Architectures: amd64 i386
                Signed-By: /k.gpg

                """
        )
    }

    @Test(arguments: [
        ("Acquire::Check-Valid-Until \"false\";\n", true),
        ("// DPkg::x;\nAcquire::http { Proxy \"http://proxy:3128\"; };\n# APT::y 1;\n", true),
        ("acquire { Retries 3; Languages { \"none\"; }; };", true),
        ("Acquire::Languages \"none\";\nDPkg::Post-Invoke { \"rm -f x; true\"; };", false),
        ("APT::Install-Recommends \"false\";", false),
        ("Acquire::http::Proxy \"http://user:secret@proxy:3128\";", false),
        ("// nothing\n", false),
    ])
    func keepsConfigurationAboutFetching(text: String, kept: Bool) {
        #expect(concernsOnlyAcquire(text) == kept)
    }
}

/// Takes half a minute, and needs the host's package sources.
@Suite struct BootstrapTests {
    @Test func makesASlimImageWhoseAptWorks() async throws {
        let fixture = try StoreFixture()
        let start = ContinuousClock.now
        let image = try await fixture.store.bootstrap(as: ImageReference("debian:slim")) { print($0) }
        print("bootstrap: \(ContinuousClock.now - start), \(image.size)")
        #expect(image.size < ByteCount(90_000_000))
        let tree = fixture.store.tree(of: image.layers)
        for path in [
            "/bin/sh", "/usr/bin/apt-get", "/usr/share/keyrings/debian-archive-keyring.gpg", "/etc/passwd",
        ] {
            #expect(try tree.find(path) != nil, "\(path)")
        }
        for path in [
            "/etc/resolv.conf", "/etc/hostname", "/dev/null", "/usr/share/man/man1", "/etc/apt/sources.list",
        ] {
            #expect(try tree.find(path) == nil, "\(path)")
        }
        #expect(try tree.find("/var/lib/apt/lists")?.places.flatMap { try Files.list($0) } == ["partial"])
        print(
            try tree.read("/etc/apt/sources.list.d/debian.sources").map {
                String(decoding: $0, as: UTF8.self)
            } ?? ""
        )

        // apt-get update, in a copy of the image with the host's network.
        let area = try fixture.store.makeWorkArea()
        defer { fixture.store.discard(area) }
        let lower = fixture.store.lowerDirectories(of: image).joined(separator: ":")
        try Files.createDirectories(area.upper + "/etc")
        for file in ["resolv.conf", "hosts"] {
            try Files.write(area.upper + "/etc/" + file, try Files.read("/etc/" + file))
        }
        let namespace = MountNamespace(
            mounts: [
                PrivateMount(
                    source: "overlay",
                    target: area.merged,
                    type: "overlay",
                    data: "lowerdir=\(lower),upperdir=\(area.upper),workdir=\(area.work)"
                ),
                PrivateMount(
                    source: "/dev",
                    target: area.merged + "/dev",
                    type: "none",
                    flags: PrivateMount.bind | PrivateMount.recursive
                ),
            ],
            directory: fixture.store.layersDirectory
        )
        let update = try await Command(
            "/usr/sbin/chroot",
            [area.merged, "sh", "-c", "apt-get update && apt-get install -y --no-install-recommends less"],
            namespace: namespace
        ).run()
        #expect(update.status == 0, "\(update.text)")
        print(update.tail(8))

        let second = try await fixture.store.bootstrap(as: ImageReference("debian:again"))
        #expect(second.layers == image.layers)
    }
}
