import EscaleArchive
import EscaleCore
import EscaleCrypto
import EscaleHTTP
import EscaleSystem
import Glibc

/// A file that `ADD` brought from a URL.
struct RemoteFile: Sendable {
    /// What it is called, after the URL's last part.
    let name: String
    let path: String
    let digest: Digest
    /// What the server says; the files' time then.
    let modified: FileTime

    static func isRemote(_ source: String) -> Bool {
        source.hasPrefix("http://") || source.hasPrefix("https://") || source.hasPrefix("git@")
            || source.hasPrefix("git://") || source.hasPrefix("ssh://")
    }

    private static let redirects = 10

    /// - Parameters:
    ///   - checksum: `sha256:…` that it must have.
    ///   - directory: where to put it.
    ///   - destination: the file's path in the image, for a URL without a name; `nil` for a directory.
    /// - Throws: `build.fetch`, `build.checksum`, `http.*`, `system.*`.
    static func fetch(
        _ text: String,
        checksum: String?,
        into directory: String,
        destination: String?
    ) async throws -> RemoteFile {
        let expected = try checksum.map { text throws(EscaleError) in
            guard let digest = Digest(text) else {
                throw EscaleError(
                    .init("build.checksum"),
                    "\"\(text)\" is no checksum",
                    hint: "write it like --checksum=sha256:…"
                )
            }
            return digest
        }
        guard let url = HTTPURL(text) else {
            throw EscaleError(
                .init("build.fetch"),
                "ADD can't fetch \(text): it is neither an http or https URL of a file nor a Git repository"
            )
        }
        let plainName = url.target.prefix { $0 != "?" }.split(separator: "/").last.map {
            PercentCoding.decode(String($0))
        }
        guard let name = plainName ?? destination?.split(separator: "/").last.map(String.init), name != "..",
            name != ".",
            !name.contains("/")
        else {
            throw EscaleError(
                .init("build.fetch"),
                "\(text) has no file name",
                hint: "name the file in ADD's destination"
            )
        }
        let path = "\(directory)/fetched-\(hexadecimal(UInt64.random(in: 0 ... .max)))"
        let file = try FileDescriptor(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
        let (digest, modified) = try await download(url, text, to: file)
        if let expected, expected != digest {
            throw EscaleError(
                .init("build.checksum"),
                "\(text) has the checksum \(digest), not \(expected)",
                hint: "it has changed, or is not what it should be"
            )
        }
        return RemoteFile(name: name, path: path, digest: digest, modified: modified)
    }

    private static func download(_ first: HTTPURL, _ text: String, to file: FileDescriptor) async throws
        -> (Digest, FileTime)
    {
        var url = first
        for _ in 0...redirects {
            let client = try HTTPClient(
                url.isSecure
                    ? .tls(host: url.host, port: url.port, TLSTrust()) : .tcp(host: url.host, port: url.port),
                connectTimeout: .seconds(10),
                route: .byEnvironment
            )
            let response = try await client.stream(HTTPRequest(.get, target: url.target), stall: .seconds(60))
            if let location = response.headers["Location"], (300..<400).contains(response.status.rawValue) {
                guard let next = url.resolving(location), next.isSecure || !url.isSecure else {
                    throw EscaleError(
                        .init("build.fetch"),
                        "\(text) leads to \(location.prefix(200)), which is not followed"
                    )
                }
                url = next
                continue
            }
            guard response.status.isSuccess else {
                throw EscaleError(
                    .init("build.fetch"),
                    "\(text) can't be fetched: the server answered \(response.status)"
                )
            }
            var hasher: SHA256? = SHA256()
            for try await chunk in response.body {
                hasher?.update(chunk)
                try file.write(chunk)
            }
            guard let digest = hasher.take()?.finish() else { throw EscaleError(.internalFault, "no digest") }
            return (
                digest, FileTime(seconds: response.headers["Last-Modified"].flatMap(HTTPDate.seconds) ?? 0)
            )
        }
        throw EscaleError(.init("build.fetch"), "\(text) leads in a circle")
    }
}
