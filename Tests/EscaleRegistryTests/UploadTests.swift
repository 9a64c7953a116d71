import EscaleCore
import EscaleHTTP
import EscaleImages
import EscaleSystem
import Glibc
import Testing

@Suite struct UploadTests {
    private static let content = Array("0123456789".utf8)

    @Test func aBlobCanComeInOneRequest() async throws {
        try await RegistryFixture.with { registry in
            let digest = digest(of: Self.content)
            let response = try await registry.send(
                .post, "/v2/a/b/blobs/uploads/?digest=\(digest)", body: Self.content)
            #expect(response.status == .created)
            #expect(response.headers["Location"] == "/v2/a/b/blobs/\(digest)")
            #expect(response.headers["Docker-Content-Digest"] == digest.description)
            let blob = try await registry.send(.get, "/v2/a/b/blobs/\(digest)")
            #expect(blob.body == Self.content)
            #expect(blob.headers["Content-Length"] == "10")
            #expect(blob.headers["Docker-Content-Digest"] == digest.description)
            let head = try await registry.send(.head, "/v2/a/b/blobs/\(digest)")
            #expect(head.status == .ok)
            #expect(head.body.isEmpty)
            #expect(head.headers["Content-Length"] == "10")
            // Other repositories show only what was put into them.
            #expect(try await registry.send(.get, "/v2/b/blobs/\(digest)").problem == "404 BLOB_UNKNOWN")
        }
    }

    @Test func anEmptyBlobIsOneToo() async throws {
        try await RegistryFixture.with { registry in
            let digest = try await registry.blob([], in: "a")
            let blob = try await registry.send(.get, "/v2/a/blobs/\(digest)")
            #expect(blob.status == .ok)
            #expect(blob.headers["Content-Length"] == "0")
            #expect(try await registry.send(.get, "/v2/a/blobs/\(digest)", ["Range": "bytes=0-"]).status.rawValue == 416)
        }
    }

    @Test func aBlobCanComeInPieces() async throws {
        try await RegistryFixture.with { registry in
            let place = try await registry.upload(in: "a")
            let first = try await registry.send(
                .patch, place, ["Content-Range": "0-3"], body: Array(Self.content[..<4]))
            #expect(first.status == .accepted)
            #expect(first.headers["Range"] == "0-3")
            let state = try await registry.send(.get, place)
            #expect(state.status == .noContent)
            #expect(state.headers["Range"] == "0-3")
            #expect(state.headers["Location"] == place)
            // Without a range it goes on where it is; the last piece comes with the end.
            #expect(try await registry.send(.patch, place, body: Array(Self.content[4..<7])).status == .accepted)
            let digest = digest(of: Self.content)
            let end = try await registry.send(
                .put, "\(place)?digest=\(digest)", ["Content-Range": "7-9"], body: Array(Self.content[7...]))
            #expect(end.status == .created)
            #expect(try await registry.send(.get, "/v2/a/blobs/\(digest)").body == Self.content)
            for (method, body) in [(HTTPMethod.get, []), (.patch, Self.content), (.put, []), (.delete, [])] {
                let response = try await registry.send(method, place, body: body)
                #expect(response.problem == "404 BLOB_UPLOAD_UNKNOWN", "\(method)")
            }
            #expect(try Files.list("\(registry.store.root)/uploads") == [])
        }
    }

    @Test(arguments: ["0-3", "5-9", "bytes 3-9/10", "x-3", "-", ""])
    func aPieceThatDoesNotFollowIsRefused(range: String) async throws {
        try await RegistryFixture.with { registry in
            let place = try await registry.upload(in: "a")
            _ = try await registry.send(.patch, place, body: Array(Self.content[..<4]))
            let response = try await registry.send(
                .patch, place, ["Content-Range": range], body: Array(Self.content[4...]))
            #expect(response.status == .rangeNotSatisfiable)
            #expect(response.headers["Range"] == "0-3")
            // The client goes on from where it is.
            let digest = digest(of: Self.content)
            let end = try await registry.send(
                .put, "\(place)?digest=\(digest)", ["Content-Range": "bytes 4-9/*"], body: Array(Self.content[4...]))
            #expect(end.status == .created)
        }
    }

    @Test func anUploadCanBeGivenUp() async throws {
        try await RegistryFixture.with { registry in
            let place = try await registry.upload(in: "a")
            _ = try await registry.send(.patch, place, body: Self.content)
            #expect(try await registry.send(.delete, place).status == .noContent)
            #expect(try await registry.send(.get, place).problem == "404 BLOB_UPLOAD_UNKNOWN")
            #expect(try Files.list("\(registry.store.root)/uploads") == [])
        }
    }

    @Test func anUploadGoesOnAfterTheRegistryDied() async throws {
        try await RegistryFixture.with { registry in
            let place = try await registry.upload(in: "a")
            _ = try await registry.send(.patch, place, body: Array(Self.content[..<4]))
            let id = try #require(place.split(separator: "/").last).description
            // As another process finds it: by its file alone.
            try await RegistryFixture.with { other in
                try Files.createDirectories("\(other.store.root)/uploads")
                try Files.write("\(other.store.root)/uploads/\(id)", Self.content[..<4])
                #expect(try await other.send(.get, place).headers["Range"] == "0-3")
                let digest = digest(of: Self.content)
                let end = try await other.send(.put, "\(place)?digest=\(digest)", body: Array(Self.content[4...]))
                #expect(end.status == .created)
                #expect(try await other.send(.get, "/v2/a/blobs/\(digest)").body == Self.content)
            }
        }
    }

    @Test func onlyTheRightDigestMakesABlob() async throws {
        try await RegistryFixture.with { registry in
            let wrong = digest(of: [1])
            let whole = try await registry.send(.post, "/v2/a/blobs/uploads/?digest=\(wrong)", body: Self.content)
            #expect(whole.problem == "400 DIGEST_INVALID")
            #expect(whole.text.contains("not the promised \(wrong)"))
            let place = try await registry.upload(in: "a")
            #expect(try await registry.send(.put, "\(place)?digest=\(wrong)", body: Self.content).problem == "400 DIGEST_INVALID")
            #expect(try await registry.send(.get, place).problem == "404 BLOB_UPLOAD_UNKNOWN")
            for text in ["", "?digest=", "?digest=sha256:abc", "?digest=sha512:\(wrong.hex)", "?digest=../../index.json"] {
                let place = try await registry.upload(in: "a")
                let end = try await registry.send(.put, place + text, body: Self.content)
                #expect(end.problem == "400 DIGEST_INVALID", "\(text)")
                #expect(try await registry.send(.delete, place).status == .noContent)
            }
            #expect(try Files.list("\(registry.store.root)/uploads") == [])
            #expect(try Files.list("\(registry.store.root)/blobs/sha256") == [])
        }
    }

    /// A client that sends a part of a request and then waits.
    private final class SlowClient {
        private let socket: FileDescriptor

        init(_ host: String, _ start: String) throws {
            let port = try #require(host.split(separator: ":").last.flatMap { UInt16($0) })
            let number = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            socket = FileDescriptor(owning: number)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            let result = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(number, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            #expect(result == 0)
            try write(start)
        }

        func write(_ text: String) throws { try socket.write(Array(text.utf8)) }

        func status() throws -> String {
            String(decoding: try socket.read(upTo: 4096), as: UTF8.self).split(separator: " ").dropFirst().first
                .map(String.init) ?? ""
        }
    }

    @Test func twoRequestsNeverWriteToOneUpload() async throws {
        try await RegistryFixture.with { registry in
            let place = try await registry.upload(in: "a")
            let id = try #require(place.split(separator: "/").last).description
            let slow = try SlowClient(
                registry.host, "PATCH \(place) HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234")
            #expect(try await becomesTrue { try Files.read("\(registry.store.root)/uploads/\(id)").count == 5 })
            for method in [HTTPMethod.patch, .put] {
                let other = try await registry.send(
                    method, "\(place)?digest=\(digest(of: Array("xxxxx".utf8)))", body: Array("xxxxx".utf8))
                #expect(other.problem == "409 BLOB_UPLOAD_INVALID", "\(method)")
            }
            try slow.write("56789")
            #expect(try slow.status() == "202")
            let digest = digest(of: Self.content)
            #expect(try await registry.send(.put, "\(place)?digest=\(digest)").status == .created)
            #expect(try await registry.send(.get, "/v2/a/blobs/\(digest)").body == Self.content)
        }
    }

    @Test func aClientThatBreaksOffGoesOnLater() async throws {
        try await RegistryFixture.with { registry in
            let place = try await registry.upload(in: "a")
            let id = try #require(place.split(separator: "/").last).description
            do {
                let slow = try SlowClient(
                    registry.host, "PATCH \(place) HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234")
                #expect(try await becomesTrue { try Files.read("\(registry.store.root)/uploads/\(id)").count == 5 })
                withExtendedLifetime(slow) {}
            }
            // The registry sees the end of the connection a moment later.
            let digest = digest(of: Self.content)
            var end = try await registry.send(.patch, place, ["Content-Range": "5-9"], body: Array("56789".utf8))
            for _ in 0..<500 where end.status == .conflict {
                try await Task.sleep(for: .milliseconds(10))
                end = try await registry.send(.patch, place, ["Content-Range": "5-9"], body: Array("56789".utf8))
            }
            #expect(end.status == .accepted)
            #expect(try await registry.send(.put, "\(place)?digest=\(digest)").status == .created)
        }
    }

    @Test func manyBegunUploadsHoldNoFilesOpen() async throws {
        try await RegistryFixture.with { registry in
            let before = try Files.list("/proc/self/fd").count
            for _ in 0..<300 { _ = try await registry.upload(in: "a") }
            // Other tests run beside this one and open files, too; but hardly two hundred.
            #expect(try Files.list("/proc/self/fd").count < before + 200)
        }
    }

    // MARK: Mounting

    @Test func aBlobIsMountedFromWhereItIs() async throws {
        try await RegistryFixture.with { registry in
            let digest = try await registry.blob(Self.content, in: "from/here")
            let mounted = try await registry.send(
                .post, "/v2/to/blobs/uploads/?mount=\(digest)&from=from%2Fhere")
            #expect(mounted.status == .created)
            #expect(mounted.headers["Location"] == "/v2/to/blobs/\(digest)")
            #expect(try await registry.send(.get, "/v2/to/blobs/\(digest)").body == Self.content)
            // What isn't there begins an upload.
            for query in [
                "mount=\(digest)&from=elsewhere", "mount=\(digest)", "mount=\(SHA.other)&from=from/here", "mount=x&from=from/here",
            ] {
                let begun = try await registry.send(.post, "/v2/new/blobs/uploads/?\(query)")
                #expect(begun.status == .accepted, "\(query)")
            }
        }
    }

    private enum SHA { static let other = "sha256:" + String(repeating: "0", count: 64) }

    @Test(arguments: ["%00", "..%00", ".", "..", "../blobs", "a%00", "a+b", "..%2F..", "A"])
    func nothingOfTheStoreIsMountedFromANameThatIsNone(from: String) async throws {
        try await RegistryFixture.with { registry in
            _ = try await registry.blob([1], in: "a")
            let secret = try registry.store.addBlob(Array("of an image that nobody pushed".utf8))
            let response = try await registry.send(.post, "/v2/a/blobs/uploads/?mount=\(secret)&from=\(from)")
            #expect(response.status != .created)
            #expect(try await registry.send(.get, "/v2/a/blobs/\(secret)").problem == "404 BLOB_UNKNOWN")
        }
    }

    // MARK: Ranges

    @Test(arguments: [
        ("bytes=0-3", 206, "0123", "bytes 0-3/10"), ("bytes=4-", 206, "456789", "bytes 4-9/10"),
        ("bytes=9-", 206, "9", "bytes 9-9/10"), ("bytes=-3", 206, "789", "bytes 7-9/10"),
        ("bytes=-100", 206, "0123456789", "bytes 0-9/10"), ("bytes=5-100", 206, "56789", "bytes 5-9/10"),
        ("bytes=5-9223372036854775807", 206, "56789", "bytes 5-9/10"), ("bytes=0-0", 206, "0", "bytes 0-0/10"),
        ("bytes=10-", 416, "", "bytes */10"), ("bytes=-0", 416, "", "bytes */10"),
        ("bytes=10-12", 416, "", "bytes */10"), ("bytes=3-2", 416, "", "bytes */10"),
        ("bytes=99999999999999999999-", 416, "", "bytes */10"),
        // What isn't understood is as if it wasn't said (RFC 9110, section 14.2).
        ("items=0-3", 200, "0123456789", nil), ("bytes=0-1,3-4", 200, "0123456789", nil), ("0-3", 200, "0123456789", nil),
    ])
    func aRangeOfABlob(range: String, status: Int, text: String, told: String?) async throws {
        try await RegistryFixture.with { registry in
            let digest = try await registry.blob(Self.content, in: "a")
            let response = try await registry.send(.get, "/v2/a/blobs/\(digest)", ["Range": range])
            #expect(response.status.rawValue == status)
            #expect(response.text == text)
            #expect(response.headers["Content-Range"] == told)
        }
    }
}
