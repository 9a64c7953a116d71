import CMicroHTTPD

/// A streamed body as libmicrohttpd pulls it, on the connection's thread; freed with the answer.
final class StreamSource {
    private let pipe: ResponsePipe
    private let client: ClientWatch
    private let task: Task<Void, Never>

    init(pipe: ResponsePipe, client: ClientWatch, task: Task<Void, Never>) {
        self.pipe = pipe
        self.client = client
        self.task = task
    }

    /// The answer is sent, or the client is gone: either way there is no more reader.
    deinit {
        pipe.close()
        task.cancel()
    }

    static let read: MHD_ContentReaderCallback = { context, _, buffer, size in
        guard let context, let buffer else { return c_mhd_end_with_error }
        let source = Unmanaged<StreamSource>.fromOpaque(context).takeUnretainedValue()
        switch source.pipe.read(
            into: UnsafeMutableRawBufferPointer(start: buffer, count: size),
            source.client
        ) {
        case .bytes(let count): return count
        case .end: return c_mhd_end_of_stream
        case .broken: return c_mhd_end_with_error
        }
    }

    static let free: MHD_ContentReaderFreeCallback = { context in
        guard let context else { return }
        Unmanaged<StreamSource>.fromOpaque(context).release()
    }
}
