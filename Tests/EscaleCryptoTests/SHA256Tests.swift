import EscaleCore
import EscaleCrypto
import Glibc
import Testing

@Suite struct SHA256Tests {
    static let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    static let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    @Test func knowsThePublishedValues() {
        #expect(SHA256.digest(ofText: "abc").hex == Self.abc)
        #expect(SHA256.digest(of: []).hex == Self.empty)
        #expect(SHA256().finish().hex == Self.empty)
    }

    @Test func piecesGiveTheDigestOfTheWhole() {
        let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        var hasher = SHA256()
        hasher.update(bytes[..<1])
        hasher.update([])
        hasher.update(bytes[1..<70_000])
        bytes[70_000...].withUnsafeBytes { hasher.update($0) }
        let digest = hasher.finish()
        #expect(digest == SHA256.digest(of: bytes))
    }

    @Test func readsFiles() throws {
        let path = "/tmp/escale-crypto-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        let bytes = [UInt8](repeating: 7, count: 700_001)
        let descriptor = open(path, O_CREAT | O_WRONLY | O_EXCL, 0o600)
        #expect(write(descriptor, bytes, bytes.count) == bytes.count)
        close(descriptor)
        defer { unlink(path) }
        #expect(try SHA256.digest(ofFile: path) == SHA256.digest(of: bytes))
    }

    @Test(arguments: ["/nonexistent/file", "/tmp"])
    func namesTheFileItCannotRead(path: String) {
        let error = #expect(throws: EscaleError.self) { try SHA256.digest(ofFile: path) }
        #expect(error?.code.rawValue == "crypto.unreadable")
        #expect(error?.message.contains(path) == true)
    }
}
