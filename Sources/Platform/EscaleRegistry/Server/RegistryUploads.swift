import EscaleCore
import EscaleHTTP
import EscaleImages
import EscaleSystem
import Synchronization

/// The uploads under way, each at hand as long as the daemon lives and on the disk after that.
final class RegistryUploads: Sendable {
    private let store: ImageStore
    private let open = Mutex<[String: BlobWriter]>([:])

    init(store: ImageStore) { self.store = store }

    func begin() throws -> String {
        let id = hexadecimal(UInt64.random(in: 0 ... .max)) + hexadecimal(UInt64.random(in: 0 ... .max))
        let writer = try store.upload(id)
        writer.keep()
        open.withLock { $0[id] = writer }
        return id
    }

    /// How many bytes are there; `nil` for no such upload.
    func count(_ id: String) throws -> Int64? {
        if let known = open.withLock({ $0[id]?.count }) { return known }
        guard Self.isID(id), store.hasUpload(id) else { return nil }
        let writer = try store.upload(id)
        writer.keep()
        return writer.count
    }

    /// Takes the upload for one request, so that no other writes to it; `nil` where there is none, or it is in use.
    func take(_ id: String) throws -> BlobWriter? {
        if let known = open.withLock({ $0.removeValue(forKey: id) }) { return known }
        guard Self.isID(id), store.hasUpload(id) else { return nil }
        let writer = try store.upload(id)
        writer.keep()
        return writer
    }

    func giveBack(_ writer: BlobWriter, _ id: String) { open.withLock { $0[id] = writer } }

    func forget(_ id: String) throws {
        open.withLock { _ = $0.removeValue(forKey: id) }
        guard Self.isID(id) else { return }
        try Files.remove("\(store.root)/uploads/\(id)")
    }

    private static func isID(_ text: String) -> Bool {
        text.utf8.count == 32 && text.utf8.allSatisfy { ($0 >= 0x30 && $0 <= 0x39) || ($0 >= 0x61 && $0 <= 0x66) }
    }
}

/// Writes a request's body to an upload as it comes.
final class UploadReceiver: HTTPBodyReceiver {
    private struct State {
        var writer: BlobWriter?
        var failure: (any Error)?
    }

    private let state: Mutex<State>
    private let id: String
    private let uploads: RegistryUploads
    private let finish: @Sendable (HTTPRequest, BlobWriter, String) async throws -> HTTPResponse

    /// - Parameters:
    ///   - failure: what is wrong with the request already; the body is read and forgotten then.
    ///   - finish: answers once the body is written; whether the upload goes on is its business.
    init(
        _ writer: BlobWriter?,
        _ id: String,
        _ uploads: RegistryUploads,
        failure: (any Error)? = nil,
        finish: @escaping @Sendable (HTTPRequest, BlobWriter, String) async throws -> HTTPResponse
    ) {
        state = Mutex(State(writer: writer, failure: failure))
        self.id = id
        self.uploads = uploads
        self.finish = finish
    }

    // A client that broke off goes on later from where it was.
    deinit { if let writer = state.withLock({ $0.writer.take() }) { uploads.giveBack(writer, id) } }

    func receive(_ bytes: UnsafeRawBufferPointer) {
        let piece = [UInt8](bytes)
        state.withLock { state in
            guard state.failure == nil else { return }
            do {
                try state.writer?.write(piece)
            } catch {
                state.failure = error
            }
        }
    }

    func answer(_ request: HTTPRequest) async -> HTTPResponse {
        let (writer, failure) = state.withLock { state in (state.writer.take(), state.failure) }
        do {
            if let failure {
                if let writer { uploads.giveBack(writer, id) }
                throw failure
            }
            guard let writer else { throw RegistryProblem.uploadUnknown }
            return try await finish(request, writer, id)
        } catch {
            return RegistryProblem(error).response
        }
    }
}
