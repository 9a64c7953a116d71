import CCurl
import EscaleCore
import EscaleSystem
import Glibc

/// What a transfer is to do; crosses from the task to libcurl's thread.
struct TransferRequest: Sendable {
    let endpoint: HTTPClient.Endpoint
    let request: HTTPRequest
    let upload: HTTPClient.Upload?
    let connectTimeout: Duration
    let timeout: Duration?
    let stall: Duration?
    let route: HTTPClient.Route
    let incoming: IncomingResponse
}

/// One libcurl handle with everything it points to; lives on libcurl's thread.
final class CurlTransfer {
    let request: TransferRequest
    let easy: UnsafeMutableRawPointer
    private let body: UnsafeMutableRawBufferPointer
    private var fields: UnsafeMutablePointer<curl_slist>?
    /// Where to connect to, if not to the URL's host.
    private var places: UnsafeMutablePointer<curl_slist>?
    private var head: IncomingResponse.Head?
    /// How much of the upload was read so far.
    private var uploaded: Int64 = 0

    /// `nil` when libcurl has no memory.
    init?(_ request: TransferRequest) {
        guard let easy = curl_easy_init() else { return nil }
        self.easy = easy
        self.request = request
        body = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(1, request.request.body.count),
            alignment: 1
        )
        body.copyBytes(from: request.request.body)
        configureConnection()
        configureMessage()
        configureCallbacks()
    }

    deinit {
        curl_easy_cleanup(easy)
        curl_slist_free_all(fields)
        curl_slist_free_all(places)
        body.deallocate()
    }

    private func configureConnection() {
        let base: String
        switch request.endpoint {
        case .unix(let path):
            c_curl_set_string(easy, CURLOPT_UNIX_SOCKET_PATH, path)
            base = "http://localhost"
        case .tcp(let host, let port):
            base = "http://" + Self.authority(host, port)
        case .tls(let host, let port, let trust):
            base = "https://" + Self.authority(trust.serverName ?? host, port)
            configure(trust)
            if trust.serverName != nil {
                places = curl_slist_append(nil, "::" + Self.authority(host, port))
                c_curl_set_pointer(easy, CURLOPT_CONNECT_TO, places)
            }
        }
        c_curl_set_string(easy, CURLOPT_URL, base + request.request.target)
        c_curl_set_string(easy, CURLOPT_PROTOCOLS_STR, "http,https")
        switch request.route {
        case .direct: c_curl_set_string(easy, CURLOPT_PROXY, "")
        case .byEnvironment: break
        case .by(let proxy):
            c_curl_set_string(easy, CURLOPT_PROXY, proxy.text)
            c_curl_set_string(easy, CURLOPT_NOPROXY, "")
        }
        c_curl_set_long(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1)
        c_curl_set_long(easy, CURLOPT_PATH_AS_IS, 1)
        c_curl_set_long(easy, CURLOPT_NOSIGNAL, 1)
        if ![.get, .head].contains(request.request.method) {
            // libcurl repeats what a kept connection left unanswered; this may have had its effect already.
            c_curl_set_long(easy, CURLOPT_FRESH_CONNECT, 1)
        }
        c_curl_set_long(easy, CURLOPT_BUFFERSIZE, 64 * 1024)
        c_curl_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, Self.milliseconds(request.connectTimeout))
        if let timeout = request.timeout {
            c_curl_set_long(easy, CURLOPT_TIMEOUT_MS, Self.milliseconds(timeout))
        }
        if let stall = request.stall {
            c_curl_set_long(easy, CURLOPT_LOW_SPEED_LIMIT, 1)
            c_curl_set_long(easy, CURLOPT_LOW_SPEED_TIME, max(1, Self.milliseconds(stall) / 1000))
        }
    }

    private static func authority(_ host: String, _ port: UInt16) -> String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    private func configure(_ trust: TLSTrust) {
        if !trust.verifies {
            c_curl_set_long(easy, CURLOPT_SSL_VERIFYPEER, 0)
            c_curl_set_long(easy, CURLOPT_SSL_VERIFYHOST, 0)
        }
        if trust.isExclusive { c_curl_set_string(easy, CURLOPT_CAPATH, nil) }
        if let file = trust.authority { c_curl_set_string(easy, CURLOPT_CAINFO, file) }
        if let file = trust.certificate { c_curl_set_string(easy, CURLOPT_SSLCERT, file) }
        if let file = trust.key { c_curl_set_string(easy, CURLOPT_SSLKEY, file) }
        let texts = [
            (CURLOPT_CAINFO_BLOB, trust.authorityText), (CURLOPT_SSLCERT_BLOB, trust.certificateText),
            (CURLOPT_SSLKEY_BLOB, trust.keyText),
        ]
        for case (let option, let text?) in texts { c_curl_set_bytes(easy, option, text, text.count) }
    }

    private func configureMessage() {
        let message = request.request
        switch message.method {
        case .head: c_curl_set_long(easy, CURLOPT_NOBODY, 1)
        case .get where message.body.isEmpty, .delete where message.body.isEmpty:
            c_curl_set_long(easy, CURLOPT_HTTPGET, 1)
        case _ where request.upload != nil:
            c_curl_set_long(easy, CURLOPT_POST, 1)
            c_curl_set_offset(easy, CURLOPT_POSTFIELDSIZE_LARGE, Int(request.upload?.count ?? 0))
        default:
            c_curl_set_long(easy, CURLOPT_POST, 1)
            c_curl_set_offset(easy, CURLOPT_POSTFIELDSIZE_LARGE, request.request.body.count)
            c_curl_set_pointer(easy, CURLOPT_POSTFIELDS, body.baseAddress)
        }
        if message.method != .head { c_curl_set_string(easy, CURLOPT_CUSTOMREQUEST, message.method.rawValue) }
        c_curl_set_string(easy, CURLOPT_USERAGENT, "escale")
        // A name with a colon and nothing else removes the field that libcurl would send.
        var lines = ["Expect:"]
        if message.headers["Content-Type"] == nil { lines.append("Content-Type:") }
        if case .tls(let host, let port, let trust) = request.endpoint, trust.serverName != nil, message.headers["Host"] == nil {
            lines.append("Host: \(Self.authority(host, port))")
        }
        // An empty value is written with a semicolon.
        lines += message.headers.fields.map { $0.value.isEmpty ? "\($0.name);" : "\($0.name): \($0.value)" }
        for line in lines { fields = curl_slist_append(fields, line) }
        c_curl_set_pointer(easy, CURLOPT_HTTPHEADER, fields)
    }

    private func configureCallbacks() {
        // Unretained: `CurlTransfers` keeps the transfer for as long as libcurl calls back.
        let context = Unmanaged.passUnretained(self).toOpaque()
        c_curl_set_pointer(easy, CURLOPT_HEADERDATA, context)
        c_curl_set_callback(easy, CURLOPT_HEADERFUNCTION) { data, size, count, context in
            guard let context else { return 0 }
            let line = UnsafeRawBufferPointer(start: data, count: size * count)
            Unmanaged<CurlTransfer>.fromOpaque(context).takeUnretainedValue().receiveHeader(line)
            return line.count
        }
        if request.upload != nil {
            c_curl_set_pointer(easy, CURLOPT_READDATA, context)
            c_curl_set_callback(easy, CURLOPT_READFUNCTION) { data, size, count, context in
                guard let context else { return 0 }
                let buffer = UnsafeMutableRawBufferPointer(start: data, count: size * count)
                return Unmanaged<CurlTransfer>.fromOpaque(context).takeUnretainedValue().readUpload(buffer)
            }
        }
        c_curl_set_pointer(easy, CURLOPT_WRITEDATA, context)
        c_curl_set_callback(easy, CURLOPT_WRITEFUNCTION) { data, size, count, context in
            guard let context else { return 0 }
            let bytes = UnsafeRawBufferPointer(start: data, count: size * count)
            let transfer = Unmanaged<CurlTransfer>.fromOpaque(context).takeUnretainedValue()
            return transfer.request.incoming.offer(bytes) ? bytes.count : Int(CURL_WRITEFUNC_PAUSE)
        }
    }

    /// Fills libcurl's buffer with the next bytes of the upload.
    private func readUpload(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
        guard let upload = request.upload else { return 0 }
        let wanted = min(Int64(buffer.count), upload.count - uploaded)
        guard wanted > 0 else { return 0 }
        let count = pread(upload.file.number, buffer.baseAddress, Int(wanted), Int(upload.offset + uploaded))
        guard count > 0 else { return Int(CURL_READFUNC_ABORT) }
        uploaded += Int64(count)
        upload.progress(count)
        return count
    }

    /// One line of the head, its line break included; an empty one ends it.
    private func receiveHeader(_ bytes: UnsafeRawBufferPointer) {
        let line = String(decoding: bytes, as: UTF8.self).trimmingLineBreak
        if line.hasPrefix("HTTP/") {
            let status = line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
            head = IncomingResponse.Head(status: HTTPStatus(rawValue: status))
        } else if line.isEmpty {
            // 100 Continue and its like are followed by the real head; trailers come when there is none.
            if let head, head.status.rawValue >= 200 { request.incoming.begin(head) }
            head = nil
        } else if let colon = line.firstIndex(of: ":") {
            let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            head?.headers.add(String(line[..<colon]), String(value))
        }
    }

    /// What libcurl's result means for the caller.
    func outcome(_ result: CURLcode) -> Result<Void, any Error> {
        if result == CURLE_OK { return .success(()) }
        let systemError = Int32(clamping: c_curl_get_long(easy, CURLINFO_OS_ERRNO))
        return .failure(EscaleError.transfer(result, systemError, proxyStatus: c_curl_get_long(easy, CURLINFO_HTTP_CONNECTCODE), request))
    }

    private static func milliseconds(_ duration: Duration) -> Int {
        max(1, Int(clamping: duration.nanoseconds / 1_000_000))
    }
}

extension String {
    fileprivate var trimmingLineBreak: Substring {
        let end = utf8.lastIndex { $0 != 10 && $0 != 13 }.map { utf8.index(after: $0) } ?? startIndex
        return self[..<end]
    }
}
