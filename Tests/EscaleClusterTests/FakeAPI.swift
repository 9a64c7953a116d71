import EscaleCluster
import EscaleCore
import EscaleHTTP
import EscaleSystem
import EscaleTestSupport
import Synchronization
import Testing

/// An API server over TLS that answers what a test wants, and remembers what it was asked.
///
/// What versions have it says itself, and doesn't count.
final class FakeAPI: Sendable {
    typealias Answer = @Sendable (HTTPRequest, Int) async -> HTTPResponse

    let directory: ScratchDirectory
    private let asked = Mutex<[HTTPRequest]>([])
    private let server = Mutex<HTTPServer?>(nil)

    var requests: [HTTPRequest] { asked.withLock { $0 } }
    var port: UInt16 { server.withLock { $0?.port } ?? 0 }

    /// - Parameter answer: gets the request and how many came before it.
    static func with(discovers: Bool = true, _ answer: @escaping Answer, _ body: (FakeAPI) async throws -> Void) async throws {
        let api = FakeAPI(try ScratchDirectory())
        try await makeCertificate("server", in: api.directory)
        let certificate = HTTPServer.Certificate(
            certificate: try api.directory.text("server.crt"), key: try api.directory.text("server.key"))
        let server = HTTPServer(address: .loopback(port: 0), certificate: certificate) { request in
            if discovers, let known = versions[request.encodedPath] { return .json(known) }
            let before = api.asked.withLock { requests in
                requests.append(request)
                return requests.count - 1
            }
            return await answer(request, before)
        }
        try server.start()
        api.server.withLock { $0 = server }
        let outcome: Result<Void, any Error>
        do {
            outcome = .success(try await body(api))
        } catch {
            outcome = .failure(error)
        }
        await server.stop(grace: .zero)
        // The server's handler holds the API, and nothing may hold the directory.
        api.server.withLock { $0 = nil }
        try outcome.get()
    }

    private init(_ directory: ScratchDirectory) { self.directory = directory }

    private static let versions = [
        "/api/v1": #"{"resources":[{"name":"pods","kind":"Pod","namespaced":true},{"name":"namespaces","kind":"Namespace","namespaced":false}]}"#,
        "/apis/apps/v1": #"{"resources":[{"name":"deployments/scale","kind":"Deployment","namespaced":true},"#
            + #"{"name":"deployments","kind":"Deployment","namespaced":true}]}"#,
    ]

    /// A certificate for 127.0.0.1, `kubernetes.example` and `cluster.invalid`, and its key, in `NAME.crt` and `NAME.key`.
    static func makeCertificate(_ name: String, in directory: ScratchDirectory) async throws {
        let made = try await Command(
            "/usr/bin/openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=\(name)", "-addext",
                "subjectAltName=IP:127.0.0.1,DNS:kubernetes.example,DNS:cluster.invalid", "-keyout", directory("\(name).key"), "-out",
                directory("\(name).crt"),
            ]
        ).run(timeout: .seconds(60))
        #expect(made.status == 0, "\(made.text)")
    }

    // MARK: Clients

    /// By a kubeconfig in the scratch directory.
    ///
    /// - Parameters:
    ///   - server: where it is; `nil` for where it listens.
    ///   - cluster: further fields, one a line.
    ///   - change: what no file says.
    func client(
        server: String? = nil, cluster: String = "certificate-authority: server.crt", user: String = "",
        _ change: (inout ClusterAccess) -> Void = { _ in }
    ) throws -> ClusterClient {
        let environment = ["PATH": "/usr/bin:/bin"]
        let text = KubeconfigText(cluster: "server: \(server ?? "https://127.0.0.1:\(port)")\n\(cluster)", user: user).text
        try directory.file("config", text)
        var access = try Kubeconfig.access(.init(file: "config"), environment: environment, workingDirectory: directory.path)
        change(&access)
        return ClusterClient(access, environment: environment)
    }
}

extension ClusterClient {
    /// Asks for a deployment, as the simplest thing that one may ask for.
    @discardableResult
    func web() async throws -> Bool {
        let deployments = try #require(try await resource("Deployment", in: ["apps/v1"]))
        return try await get(deployments, "web", namespace: "shop") != nil
    }
}

extension HTTPResponse {
    static let object = json(#"{"kind":"Deployment","metadata":{"name":"web"}}"#)

    static func json(_ text: String, _ status: Int = 200, headers: HTTPHeaders = [:]) -> HTTPResponse {
        HTTPResponse(HTTPStatus(rawValue: status), headers: headers, body: Array(text.utf8))
    }

    /// A refusal (meta/v1 Status).
    static func status(_ code: Int, _ message: String, details: String = "{}", headers: HTTPHeaders = [:]) -> Self {
        .json(
            #"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"\#(message)","details":\#(details),"code":\#(code)}"#, code,
            headers: headers)
    }
}
