import EscaleCompose
import EscaleCore
import EscaleGateway
import EscaleNetlink

let web = BackendName(rawValue: "shop/web/80")

func sampleServer(_ index: Int, isNew: Bool = false) -> GatewayServer {
    var generator = SystemRandomNumberGenerator()
    return GatewayServer(
        container: ContainerID(using: &generator), address: IPv4Address(127, 0, 0, UInt8(1 + index % 200)), port: 9000,
        isNew: isNew)
}

func sampleServers(new: Int, old: Int) -> [GatewayServer] {
    (0..<new).map { sampleServer($0, isNew: true) } + (0..<old).map { sampleServer(new + $0) }
}

func sampleState(servers: Int, settings change: (inout HTTPSettings) -> Void = { _ in }) -> GatewayState {
    var settings = HTTPSettings()
    change(&settings)
    return GatewayState(
        listeners: [
            GatewayListener(
                hostAddress: IPv4Address(127, 0, 0, 1), port: 8080,
                routes: [GatewayRoute(target: .backend(web, versions: .all))])
        ],
        backends: [GatewayBackend(name: web, settings: settings, servers: (0..<servers).map { sampleServer($0) })])
}

/// Something of everything.
func goldenState() -> GatewayState {
    let api = BackendName(rawValue: "shop/api/8080")
    let mail = BackendName(rawValue: "mail/smtp.tls/465")
    func server(_ digit: Int, isNew: Bool = false, isTaking: Bool = true) -> GatewayServer {
        GatewayServer(
            container: ContainerID(rawValue: String(repeating: "\(digit)", count: 64)),
            address: IPv4Address(10, 210, 0, UInt8(digit)), port: 8080, generation: isNew ? 2 : 1, isNew: isNew,
            isTaking: isTaking)
    }
    var apiSettings = HTTPSettings()
    apiSettings.maxBody = ByteCount(1_000_000)
    apiSettings.rateLimit = .init(requests: 100, period: .seconds(10))
    apiSettings.stickyCookie = "replica"
    apiSettings.sendsProxyProtocol = true
    let backend = GatewayBackend(
        name: api, settings: apiSettings, applicationProtocol: .https, hasVersions: true, isSticky: true, newShare: 10,
        servers: [server(1), server(2), server(3, isTaking: false), server(4, isNew: true)])
    var plainSettings = HTTPSettings()
    plainSettings.ejectAfter = 0
    plainSettings.hold = .zero
    plainSettings.retries = 0
    let certificate = HTTPSettings.Certificate(certificate: "/etc/tls/shop.pem", key: "/etc/tls/shop.key")
    return GatewayState(
        listeners: [
            GatewayListener(
                port: 80,
                routes: [
                    GatewayRoute(hosts: ["shop.example.org"], target: .redirectToTLS(443)),
                    GatewayRoute(target: .backend(web, versions: .all)),
                ]),
            GatewayListener(
                hostAddress: IPv4Address(192, 0, 2, 1), port: 443, security: .tls([certificate]),
                acceptsProxyProtocol: true,
                routes: [
                    GatewayRoute(
                        hosts: ["shop.example.org", "*.shop.example.org"], path: "/api/",
                        target: .backend(api, versions: .all)),
                    GatewayRoute(hosts: ["preview.example.org"], target: .backend(api, versions: .newOnly)),
                ]),
            GatewayListener(
                port: 465, security: .passthrough,
                routes: [GatewayRoute(hosts: ["mail.example.org"], target: .backend(mail, versions: .all))]),
        ],
        backends: [
            backend, GatewayBackend(name: web, settings: plainSettings, applicationProtocol: .http2, servers: [server(5)]),
            GatewayBackend(name: mail, servers: [server(6)]),
        ])
}
