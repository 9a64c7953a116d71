import EscaleCore
import EscaleHTTP
import EscaleImages
import EscaleSystem
import Synchronization

/// The uploads under way: on the disk, and the last ones at hand with what was digested so far.
final class RegistryUploads: Sendable {
    private struct State {
        var open: [String: BlobWriter] = [:]
        /// Those that a request writes to now.
        var taken: Set<String> = []
    }

    private let store: ImageStore
    private let state = Mutex(State())

    /// How many stay open between two requests. What is more is opened anew, and read once more, when it goes on.
    private static let maximalOpen = 32

    init(store: ImageStore) { self.store = store }

    func begin() throws -> String {
        let id = hexadecimal(UInt64.random(in: 0 ... .max)) + hexadecimal(UInt64.random(in: 0 ... .max))
        let writer = try store.upload(id)
        writer.keep()
        return id
    }

    /// How many bytes are there; `nil` for no such upload.
    func count(_ id: String) throws -> Int64? {
        if let known = state.withLock({ $0.open[id]?.count }) { return known }
        guard Self.isID(id), store.hasUpload(id) else { return nil }
        let writer = try store.upload(id)
        writer.keep()
        return writer.count
    }

    /// Takes the upload for one request, until ``giveBack(_:_:)``, ``release(_:)`` or ``forget(_:)``; `nil` where there is none.
    ///
    /// - Throws: `BLOB_UPLOAD_INVALID` while another request has it: the file would have the bytes of both, and the name of one.
    func take(_ id: String) throws -> BlobWriter? {
        let known = try state.withLock { state in
            guard state.taken.insert(id).inserted else { throw RegistryProblem.uploadTaken }
            return state.open.removeValue(forKey: id)
        }
        if let known { return known }
        do {
            guard Self.isID(id), store.hasUpload(id) else {
                release(id)
                return nil
            }
            let writer = try store.upload(id)
            writer.keep()
            return writer
        } catch {
            release(id)
            throw error
        }
    }

    func giveBack(_ writer: BlobWriter, _ id: String) {
        state.withLock { state in
            state.taken.remove(id)
            // One without bytes costs nothing to open again: a client may begin many and go on with none.
            guard writer.count > 0 else { return }
            if state.open.count >= Self.maximalOpen, let other = state.open.keys.randomElement() {
                state.open[other] = nil
            }
            state.open[id] = writer
        }
    }

    /// Gives back an upload whose writer is done with.
    func release(_ id: String) { state.withLock { _ = $0.taken.remove(id) } }

    func forget(_ id: String) throws {
        state.withLock { state in
            state.open[id] = nil
            state.taken.remove(id)
        }
        guard Self.isID(id) else { return }
        try Files.remove("\(store.root)/uploads/\(id)")
    }

    private static func isID(_ text: String) -> Bool {
        text.utf8.count == 32
            && text.utf8.allSatisfy { ($0 >= 0x30 && $0 <= 0x39) || ($0 >= 0x61 && $0 <= 0x66) }
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
