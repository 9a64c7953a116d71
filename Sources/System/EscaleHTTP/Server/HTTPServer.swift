import CMicroHTTPD
package import EscaleCore
import EscaleSystem
import Glibc
import Synchronization

/// Takes a request's body as it comes, instead of in memory, and answers the request.
package protocol HTTPBodyReceiver: AnyObject, Sendable {
    /// Takes the next bytes, on the connection's own thread, which may block. A client that breaks off ends it without
    /// ``answer(_:)``.
    func receive(_ bytes: UnsafeRawBufferPointer)
    /// Called once all of the body is there. The request's own body is empty.
    func answer(_ request: HTTPRequest) async -> HTTPResponse
}

/// An HTTP/1.1 server on a Unix socket or a TCP port, with or without TLS.
///
/// Each connection has a thread of libmicrohttpd's; each request runs its handler as a task, which is
/// cancelled when the client goes away. A started server lives until ``stop(grace:)``, even if nobody holds
/// it any more. It knows no users: who may open the socket may use it.
package final class HTTPServer: Sendable {
    package typealias Handler = @Sendable (HTTPRequest) async -> HTTPResponse
    /// Says by a request's head who takes its body; `nil` for the handler, with the body in memory.
    package typealias ReceiverChoice = @Sendable (HTTPRequest) -> (any HTTPBodyReceiver)?

    /// A certificate with those that it needs, and its key, as PEM texts.
    package struct Certificate: Hashable, Sendable {
        package var certificate: String
        package var key: String

        package init(certificate: String, key: String) {
            self.certificate = certificate
            self.key = key
        }
    }

    package enum Address: Hashable, Sendable {
        /// The socket's file is created with the mode, and removed by ``HTTPServer/stop(grace:)``.
        case unix(path: String, mode: UInt16 = 0o600)
        /// On 127.0.0.1; 0 takes a free port, see ``HTTPServer/port``.
        case loopback(port: UInt16)
        /// At a numeric IPv4 or IPv6 address; 0 takes a free port.
        case tcp(address: String, port: UInt16)
        /// One that listens already, such as systemd's; it is closed at the end, and its file stays.
        case inherited(descriptor: Int32)
    }

    private enum State {
        case idle
        case running(RunningDaemon)
        case stopped
    }

    private let address: Address
    private let connectionLimit: Int
    private let certificate: Certificate?
    private let service: HTTPService
    private let state = Mutex(State.idle)

    /// - Parameters:
    ///   - bodyLimit: a request with a larger body is answered with 413.
    ///   - connectionLimit: further clients wait until one of the others is done.
    ///   - certificate: for TLS; `nil` for plain HTTP.
    ///   - receiver: who takes bodies that don't belong into memory.
    package init(
        address: Address,
        bodyLimit: ByteCount = ByteCount(64 << 20),
        connectionLimit: Int = 1024,
        certificate: Certificate? = nil,
        receiver: ReceiverChoice? = nil,
        handler: @escaping Handler
    ) {
        self.certificate = certificate
        self.address = address
        self.connectionLimit = connectionLimit
        service = HTTPService(bodyLimit: Int(bodyLimit.rawValue), receiver: receiver, handler: handler)
    }

    /// Listens; clients can connect when this returns.
    ///
    /// - Throws: `http.address-in-use` where somebody else listens, `http.listen-failed`.
    package func start() throws(EscaleError) {
        try state.withLock { state throws(EscaleError) in
            guard case .idle = state else {
                throw EscaleError(.internalFault, "an HTTP server can be started once")
            }
            let socket: ListeningSocket
            switch address {
            case .unix(let path, let mode): socket = try .unix(path: path, mode: mode_t(mode))
            case .loopback(let port): socket = try .tcp(address: "127.0.0.1", port: port)
            case .tcp(let address, let port): socket = try .tcp(address: address, port: port)
            case .inherited(let descriptor): socket = try .inherited(descriptor)
            }
            state = .running(
                try RunningDaemon(socket, service, connectionLimit: connectionLimit, certificate: certificate))
        }
    }

    /// The TCP port while it runs; `nil` for a Unix socket.
    package var port: UInt16? {
        state.withLock { state in
            switch state {
            case .running(let daemon): daemon.socket.port
            case .idle, .stopped: nil
            }
        }
    }

    /// Accepts no more clients, lets the requests under way finish for the grace period, then closes every
    /// connection and cancels its handler.
    package func stop(grace: Duration = .milliseconds(500)) async {
        let daemon: RunningDaemon? = state.withLock { state in
            defer { state = .stopped }
            switch state {
            case .running(let daemon): return daemon
            case .idle, .stopped: return nil
            }
        }
        guard let daemon else { return }
        do {
            try await onNewThread { daemon.stop(grace: grace) }
        } catch {
            daemon.stop(grace: .zero)  // no thread to be had: blocking this one is the lesser evil
        }
    }

    /// Starts, serves until the task is cancelled, and stops.
    package func run() async throws {
        try start()
        let never = Monitor(())
        await never.wait { _ in false }
        await stop()
    }
}

/// libmicrohttpd at work on a socket.
///
/// `@unchecked Sendable`: the pointer is only used in `stop`, which ``HTTPServer`` calls once.
private struct RunningDaemon: @unchecked Sendable {
    let socket: ListeningSocket
    private let service: HTTPService
    private let daemon: OpaquePointer

    init(
        _ socket: ListeningSocket,
        _ service: HTTPService,
        connectionLimit: Int,
        certificate: HTTPServer.Certificate?
    ) throws(EscaleError) {
        let context = Unmanaged.passRetained(service)
        guard
            let daemon = c_mhd_start(
                socket.descriptor,
                UInt32(clamping: connectionLimit),
                ServerExchange.idleSeconds,
                ServerExchange.accessHandler,
                ServerExchange.completionHandler,
                context.toOpaque(),
                certificate?.certificate,
                certificate?.key
            )
        else {
            let reason = errno
            context.release()
            socket.removeFile()
            socket.close()
            guard certificate == nil else { throw .badCertificate }
            throw .listen("start the HTTP server on", "its socket", reason)
        }
        self.socket = socket
        self.service = service
        self.daemon = daemon
    }

    /// Blocks for at most the grace period and the moment it takes to close the connections.
    func stop(grace: Duration) {
        MHD_quiesce_daemon(daemon)
        socket.removeFile()
        let deadline = ContinuousClock.now + grace
        while service.activeRequests > 0, ContinuousClock.now < deadline { usleep(5000) }
        MHD_stop_daemon(daemon)  // shuts the sockets down, which ends every wait, and joins the threads
        socket.close()
        Unmanaged.passUnretained(service).release()
    }
}
