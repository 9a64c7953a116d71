import CMicroHTTPD
import EscaleSystem
import Glibc

/// One request under way. Lives on its connection's thread, from the headers to the end of the answer.
final class ServerExchange {
    /// How long a connection may be silent between requests or while it sends one.
    static let idleSeconds: UInt32 = 60

    private let service: HTTPService
    private var request: HTTPRequest
    private var isTooLarge = false
    private var discarded = 0
    private let receiver: (any HTTPBodyReceiver)?

    private init(_ service: HTTPService, _ request: HTTPRequest) {
        self.service = service
        self.request = request
        receiver = service.receiver?(request)
        service.requestBegan()
    }

    deinit { service.requestEnded() }

    /// Takes in a part of the body. `false` ends the connection: the client sends far more than is accepted.
    private func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
        if let receiver {
            receiver.receive(bytes)
            return true
        }
        if request.body.count + bytes.count > service.bodyLimit { isTooLarge = true }
        guard isTooLarge else {
            request.body.append(contentsOf: bytes)
            return true
        }
        // Read on, so that a client that writes first and reads then sees the answer.
        request.body = []
        discarded += bytes.count
        return discarded / 16 <= service.bodyLimit
    }

    /// Runs the handler and waits for its answer, with an eye on the client.
    private func answer(_ connection: OpaquePointer) -> MHD_Result {
        guard !isTooLarge else { return tooLarge(connection) }
        guard let pipe = ResponsePipe() else {
            return Self.send(.text(.serviceUnavailable, "too many open files\n"), on: connection)
        }
        c_mhd_set_timeout(connection, 0)  // handlers and streams may take as long as they need
        let client = ClientWatch(socket: c_mhd_socket(connection))
        let task = Task.detached { [handler = service.handler, receiver, request] in
            await pipe.serve(request) { request in
                guard let receiver else { return await handler(request) }
                return await receiver.answer(request)
            }
        }
        request.body = []
        guard let response = pipe.waitForResponse(client) else {
            task.cancel()
            return .NO
        }
        switch response.body {
        case .bytes, .file:
            return Self.send(response, on: connection)
        case .stream:
            return Self.send(
                response,
                on: connection,
                source: StreamSource(pipe: pipe, client: client, task: task)
            )
        }
    }

    private func tooLarge(_ connection: OpaquePointer) -> MHD_Result {
        let text = "the body is larger than the \(service.bodyLimit) bytes that are accepted\n"
        return Self.send(.text(.contentTooLarge, text), on: connection)
    }
}

extension ServerExchange {
    /// Called by libmicrohttpd when a request's headers are there, for each part of its body, and at its end.
    static let accessHandler: MHD_AccessHandlerCallback = {
        context,
        connection,
        path,
        method,
        _,
        part,
        partSize,
        slot in
        guard let context, let connection, let path, let method, let partSize, let slot else { return .NO }
        guard let pointer = slot.pointee else {
            let service = Unmanaged<HTTPService>.fromOpaque(context).takeUnretainedValue()
            let request = HTTPRequest(
                connection,
                method: String(cString: method),
                path: String(cString: path)
            )
            let exchange = ServerExchange(service, request)
            slot.pointee = Unmanaged.passRetained(exchange).toOpaque()
            c_mhd_set_timeout(connection, idleSeconds)
            guard exchange.receiver == nil, let length = request.headers["Content-Length"].flatMap({ Int($0) }),
                length > service.bodyLimit
            else { return .YES }
            exchange.isTooLarge = true
            // A client that asks first (`Expect: 100-continue`), or would send far too much, hears it now.
            let isEarly = request.headers["Expect"] != nil || length / 16 > service.bodyLimit
            return isEarly ? exchange.tooLarge(connection) : .YES
        }
        let exchange = Unmanaged<ServerExchange>.fromOpaque(pointer).takeUnretainedValue()
        guard partSize.pointee > 0 else { return exchange.answer(connection) }
        defer { partSize.pointee = 0 }
        return exchange.receive(UnsafeRawBufferPointer(start: part, count: partSize.pointee)) ? .YES : .NO
    }

    /// Called once for each request that the access handler has seen, however it ended.
    static let completionHandler: MHD_RequestCompletedCallback = { _, connection, slot, _ in
        guard let connection, let slot, let pointer = slot.pointee else { return }
        slot.pointee = nil
        Unmanaged<ServerExchange>.fromOpaque(pointer).release()
        c_mhd_set_timeout(connection, idleSeconds)
    }

    private static func send(
        _ response: HTTPResponse,
        on connection: OpaquePointer,
        source: StreamSource? = nil
    ) -> MHD_Result {
        guard let answer = makeAnswer(response, source) else { return .NO }
        defer { MHD_destroy_response(answer) }  // the connection holds its own reference
        for field in response.headers.fields
        where field.isValid && !serverFields.contains(field.name.lowercased()) {
            MHD_add_response_header(answer, field.name, field.value)
        }
        return MHD_queue_response(connection, UInt32(clamping: response.status.rawValue), answer)
    }

    private static let serverFields: Set = ["content-length", "transfer-encoding", "connection", "date"]

    private static func makeAnswer(_ response: HTTPResponse, _ source: StreamSource?) -> OpaquePointer? {
        switch response.body {
        case .bytes(var bytes):
            return bytes.withUnsafeMutableBytes {
                MHD_create_response_from_buffer($0.count, $0.baseAddress, .RESPMEM_MUST_COPY)
            }
        case .file(let file, let offset, let count):
            let copy = dup(file.number)
            guard copy >= 0 else { return nil }
            let answer = MHD_create_response_from_fd_at_offset64(UInt64(count), copy, UInt64(offset))
            if answer == nil { close(copy) }
            return answer
        case .stream:
            guard let source else { return nil }
            let context = Unmanaged.passRetained(source)
            let answer = MHD_create_response_from_callback(
                c_mhd_size_unknown,
                64 * 1024,
                StreamSource.read,
                context.toOpaque(),
                StreamSource.free
            )
            if answer == nil { context.release() }
            return answer
        }
    }
}

extension HTTPRequest {
    /// Without the body, which comes later.
    fileprivate init(_ connection: OpaquePointer, method: String, path: String) {
        var headers = HTTPHeaders()
        withUnsafeMutablePointer(to: &headers) { pointer in
            _ = MHD_get_connection_values(
                connection,
                .HEADER_KIND,
                { context, _, name, value in
                    guard let context, let name else { return .YES }
                    let headers = context.assumingMemoryBound(to: HTTPHeaders.self)
                    headers.pointee.add(String(cString: name), value.map { String(cString: $0) } ?? "")
                    return .YES
                },
                pointer
            )
        }
        var query = HTTPQuery()
        withUnsafeMutablePointer(to: &query) { pointer in
            _ = MHD_get_connection_values(
                connection,
                .GET_ARGUMENT_KIND,
                { context, _, name, value in
                    guard let context, let name else { return .YES }
                    let query = context.assumingMemoryBound(to: HTTPQuery.self)
                    // libmicrohttpd has made `+` a space; escapes are ours, see c_mhd_keep_escapes.
                    query.pointee.add(
                        PercentCoding.decode(String(cString: name)),
                        value.map { PercentCoding.decode(String(cString: $0)) } ?? ""
                    )
                    return .YES
                },
                pointer
            )
        }
        self.init(
            HTTPMethod(rawValue: method),
            encodedPath: path,
            query: query,
            headers: headers,
            body: []
        )
    }
}
