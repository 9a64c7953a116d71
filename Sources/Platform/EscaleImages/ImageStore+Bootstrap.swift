import EscaleArchive
import EscaleCore
package import EscaleOCI
import EscaleSystem
import Glibc

extension ImageStore {
    /// Makes a small base image of this host's own distribution, from its own apt sources, with mmdebstrap.
    ///
    /// As small as Docker's `-slim` images: no manuals, no translations, no package lists. Takes about a minute and
    /// the network. Bootstraps of the same packages on the same day give the same image.
    /// - Parameter progress: sees what mmdebstrap has to say, line by line.
    /// - Throws: `image.bootstrap-tool`, `image.bootstrap-sources`, `image.bootstrap-failed`, `system.*`.
    package func bootstrap(
        as reference: ImageReference,
        progress: @escaping @Sendable (String) async -> Void = { _ in }
    ) async throws -> StoredImage {
        let lease = lease()
        defer { withExtendedLifetime(lease) {} }
        let (area, host) = try await blocking { (try self.makeWorkArea(), try HostDistribution()) }
        do {
            let image = try await bootstrap(as: reference, host, area, progress)
            try await blocking { self.discard(area) }
            return image
        } catch {
            try await blocking { self.discard(area) }
            throw error
        }
    }

    private func bootstrap(
        as reference: ImageReference,
        _ host: HostDistribution,
        _ area: WorkArea,
        _ progress: @escaping @Sendable (String) async -> Void
    ) async throws -> StoredImage {
        guard Files.exists(Bootstrap.tool) else {
            throw EscaleError(
                .init("image.bootstrap-tool"),
                "mmdebstrap, which makes base images, is not installed",
                hint: "apt install mmdebstrap"
            )
        }
        let day = Timestamp.now.nanoseconds / 1_000_000_000 / 86400 * 86400
        try await blocking {
            try Files.write("\(area.path)/debian.sources", Array(host.sources.utf8))
            try Files.write("\(area.path)/acquire.conf", Array(host.acquire.utf8))
            try Files.createDirectories("\(area.path)/scratch", mode: 0o755)
            // mmdebstrap drops privileges for downloads and must be able to get there.
            try check("open \(area.path)") { chmod(area.path, 0o755) }
        }
        var environment = Command.defaultEnvironment
        environment["SOURCE_DATE_EPOCH"] = "\(day)"
        environment["TMPDIR"] = "\(area.path)/scratch"
        let lines = OutputLines(progress)
        // The mounts that it makes are its own, and end with it however it ends.
        let command = Command(
            Bootstrap.tool,
            Bootstrap.arguments(host, area),
            environment: environment,
            namespace: MountNamespace()
        )
        let result = try await command.run { await lines.take($0) }
        await lines.finish()
        guard result.status == 0 else {
            throw EscaleError(
                .init("image.bootstrap-failed"),
                "mmdebstrap ended with exit code \(result.status)",
                hint: "see what it says; `apt-get update` must work on this host",
                details: [.init("output, the last lines", lines.tail(20))]
            )
        }
        return try await blocking {
            try Bootstrap.finish(area.upper, host, newest: FileTime(seconds: day))
            var defaults = ImageDefaults.standard
            defaults.command = ["bash"]
            return try self.createSingleLayerImage(
                area.upper,
                as: reference,
                defaults: defaults,
                comment: "\(host.name) from this host's apt sources",
                at: Timestamp(nanoseconds: day * 1_000_000_000)
            )
        }
    }
}

/// What of the host the new image takes after.
private struct HostDistribution: Sendable {
    let name: String
    let codename: String
    /// A `deb822` file.
    let sources: String
    /// An apt configuration about fetching, empty where the host has none.
    let acquire: String

    init() throws {
        var fields: [String: String] = [:]
        for line in try Files.readText("/etc/os-release").split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1).map { String($0).filter { $0 != "\"" } }
            if parts.count == 2 { fields[parts[0]] = parts[1] }
        }
        guard let codename = fields["VERSION_CODENAME"] else { throw Self.noSources("it names no release") }
        self.codename = codename
        name = fields["PRETTY_NAME"] ?? codename
        var found = AptSources(codename: codename)
        if Files.exists("/etc/apt/sources.list") {
            found.add(lines: try Files.readText("/etc/apt/sources.list"))
        }
        for file in try Files.list("/etc/apt/sources.list.d") {
            let path = "/etc/apt/sources.list.d/\(file)"
            if file.hasSuffix(".sources") { found.add(deb822: try Files.readText(path)) }
            if file.hasSuffix(".list") { found.add(lines: try Files.readText(path)) }
        }
        guard !found.stanzas.isEmpty else { throw Self.noSources("apt has no sources for \(codename)") }
        sources = found.text
        acquire = try Files.list("/etc/apt/apt.conf.d").map {
            try Files.readText("/etc/apt/apt.conf.d/\($0)")
        }
        .filter(concernsOnlyAcquire).joined(separator: "\n")
    }

    private static func noSources(_ reason: String) -> EscaleError {
        EscaleError(
            .init("image.bootstrap-sources"),
            "this host can't be the pattern of a base image: \(reason)",
            hint:
                "bootstrap on Debian or a relative of it, or import a root file system with `escale image import`"
        )
    }
}

private enum Bootstrap {
    static let tool = "/usr/bin/mmdebstrap"

    /// What Docker's `-slim` images leave out. The image keeps the rules for what is installed later.
    static let dpkgOptions = """
        path-exclude /usr/share/doc/*
        path-include /usr/share/doc/*/copyright
        path-exclude /usr/share/groff/*
        path-exclude /usr/share/info/*
        path-exclude /usr/share/lintian/*
        path-exclude /usr/share/linda/*
        path-exclude /usr/share/locale/*
        path-include /usr/share/locale/locale.alias
        path-exclude /usr/share/man/*
        force-unsafe-io

        """

    /// Keeps images small without every Dockerfile having to.
    static let aptOptions = """
        Acquire::Languages "none";
        Acquire::GzipIndexes "true";
        APT::AutoRemove::SuggestsImportant "false";
        DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb || true"; };
        Dir::Cache::pkgcache "";
        Dir::Cache::srcpkgcache "";

        """

    static func arguments(_ host: HostDistribution, _ area: WorkArea) -> [String] {
        var arguments = ["--mode=root", "--variant=minbase", "--format=directory"]
        // Else the tool that merges /usr on old systems is installed, and brings all of Perl with it.
        arguments += ["--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr", "--include=usr-is-merged"]
        // The store's scratch space is closed to the user whom apt downloads as.
        arguments.append("--aptopt=APT::Sandbox::User \"root\"")
        for line in dpkgOptions.split(separator: "\n") {
            arguments.append("--dpkgopt=" + line.split(separator: " ", maxSplits: 1).joined(separator: "="))
        }
        // For the bootstrap itself; the image gets the same from finish(_:_:newest:).
        if !host.acquire.isEmpty { arguments.append("--aptopt=\(area.path)/acquire.conf") }
        return arguments + [host.codename, area.upper, "\(area.path)/debian.sources"]
    }

    /// Turns mmdebstrap's result into what an image has: no devices, none of the host's names, files not newer than
    /// the given time.
    static func finish(_ root: String, _ host: HostDistribution, newest: FileTime) throws {
        for directory in ["dev", "proc", "sys", "run", "tmp", "var/lib/apt/lists", "var/cache/apt"] {
            for name in try Files.list("\(root)/\(directory)") {
                try Files.remove("\(root)/\(directory)/\(name)")
            }
        }
        for file in [
            "etc/hostname", "etc/resolv.conf", "etc/hosts", "etc/machine-id", "var/cache/ldconfig/aux-cache",
            "var/log/dpkg.log", "var/log/bootstrap.log", "var/log/alternatives.log",
            "etc/apt/apt.conf.d/99mmdebstrap",
            "etc/dpkg/dpkg.cfg.d/99mmdebstrap", "etc/apt/sources.list",
        ] {
            try Files.remove("\(root)/\(file)")
        }
        for name in try Files.list("\(root)/var/log/apt") { try Files.remove("\(root)/var/log/apt/\(name)") }
        for name in try Files.list("\(root)/etc/apt/sources.list.d") {
            try Files.remove("\(root)/etc/apt/sources.list.d/\(name)")
        }
        try Files.createDirectories("\(root)/var/lib/apt/lists/partial")
        try Files.createDirectories("\(root)/var/cache/apt/archives/partial")
        try Files.write("\(root)/etc/apt/sources.list.d/debian.sources", Array(host.sources.utf8))
        try Files.write("\(root)/etc/apt/apt.conf.d/20slim", Array(aptOptions.utf8))
        if !host.acquire.isEmpty {
            try Files.write("\(root)/etc/apt/apt.conf.d/90host-acquire", Array(host.acquire.utf8))
        }
        try Files.write("\(root)/etc/dpkg/dpkg.cfg.d/20slim", Array(dpkgOptions.utf8))
        // Nothing starts services in a container just because their package was installed.
        try Files.write("\(root)/usr/sbin/policy-rc.d", Array("#!/bin/sh\nexit 101\n".utf8), mode: 0o755)
        var walk = TreeWalk(try Directory(root), attributes: false, hardLinks: false)
        try walk.visit { step in
            if step.entry.modified > newest { try step.directory.setTime(newest, of: step.name) }
            return .descend
        }
    }
}
