import CCurl
import EscaleCore
import EscaleSystem
import Synchronization

/// Keeps a ``CurlThread`` running for as long as the client or one of its streams needs it.
final class CurlThreadOwner: Sendable {
    private let thread: CurlThread

    init() throws(EscaleError) { thread = try CurlThread.start() }

    deinit { thread.submit(.stop) }

    func submit(_ command: CurlThread.Command) { thread.submit(command) }
}

/// One thread that runs all transfers of a client through libcurl's multi interface.
final class CurlThread: Sendable {
    enum Command: Sendable {
        case start(TransferRequest)
        case resume(IncomingResponse)
        case cancel(IncomingResponse)
        case stop
    }

    /// `@unchecked Sendable`: other threads only pass it to `curl_multi_wakeup`, which is made for that.
    private struct Multi: @unchecked Sendable {
        let handle: UnsafeMutableRawPointer
    }

    private let multi: Multi
    /// `nil` once the thread has stopped and the handle is gone.
    private let inbox = Mutex<[Command]?>([])

    /// Since libcurl 7.57 the flags only matter on Windows; without them as little as possible is set up.
    private static let isInitialised = curl_global_init(Int(CURL_GLOBAL_NOTHING)) == CURLE_OK

    private init() throws(EscaleError) {
        guard Self.isInitialised, let handle = curl_multi_init() else {
            throw EscaleError(.internalFault, "libcurl could not be initialised")
        }
        multi = Multi(handle: handle)
    }

    static func start() throws(EscaleError) -> CurlThread {
        let thread = try CurlThread()
        do throws(EscaleError) {
            try startThread { thread.run() }
        } catch {
            curl_multi_cleanup(thread.multi.handle)
            throw error
        }
        return thread
    }

    func submit(_ command: Command) {
        inbox.withLock { commands in
            guard commands != nil else { return }
            commands?.append(command)
            curl_multi_wakeup(multi.handle)
        }
    }

    private func run() {
        var transfers = CurlTransfers(multi: multi.handle)
        while true {
            let commands = inbox.withLock { commands in
                defer { commands = [] }
                return commands ?? []
            }
            for command in commands {
                switch command {
                case .start(let request): transfers.start(request)
                case .resume(let incoming): transfers.resume(incoming)
                case .cancel(let incoming): transfers.end(incoming, .failure(CancellationError()))
                case .stop:
                    transfers.endAll()
                    inbox.withLock { $0 = nil }
                    curl_multi_cleanup(multi.handle)
                    return
                }
            }
            transfers.advance()
            // Until there is traffic, a time-out of curl's own, or a wake-up.
            curl_multi_poll(multi.handle, nil, 0, 60_000, nil)
        }
    }
}
