package import EscaleAPI
package import EscaleCore
import EscaleHTTP
package import EscaleImages
import EscaleSystem

/// A registry over the store, at one address: what `escale registry serve` starts.
package actor RegistryServer {
    private struct Running {
        let settings: RegistrySettings
        let server: HTTPServer
        let url: String
    }

    private let store: ImageStore
    private let file: String
    private var running: Running?
    private var listeners: [UInt64: @Sendable (String) -> Void] = [:]
    private var nextListener: UInt64 = 0

    /// - Parameter file: where the settings are kept, so that the registry comes back with the daemon.
    package init(store: ImageStore, file: String) {
        self.store = store
        self.file = file
    }

    /// Starts the registry that was serving when the daemon ended.
    ///
    /// - Returns: what is in the way, for the log; `nil` where all is well.
    package func resume() async -> EscaleError? {
        do {
            let file = file
            guard let bytes = try await blocking({ Files.exists(file) ? try Files.read(file) : nil }) else {
                return nil
            }
            _ = try await start(try decodeJSON(RegistrySettings.self, from: bytes))
            return nil
        } catch {
            return EscaleError(wrapping: error)
        }
    }

    /// Starts serving.
    ///
    /// - Throws: `registry.running` where it serves already with other settings; `registry.*`, `http.*`, `system.*`.
    package func start(_ settings: RegistrySettings) async throws -> RegistryStatus {
        if let running {
            guard running.settings == settings else {
                throw EscaleError(
                    .init("registry.running"),
                    "the registry serves at \(running.url) already",
                    hint: "`escale registry stop` ends it"
                )
            }
            return try await status() ?? .init(url: running.url, settings: settings, repositories: 0)
        }
        guard let (address, port) = HTTPURL.hostAndPort(settings.listen), let port, !address.isEmpty else {
            throw EscaleError(
                .init("registry.address"),
                "\"\(settings.listen)\" is not an address and a port",
                hint: "write it like 127.0.0.1:5000 or [::1]:5000"
            )
        }
        let store = store
        let (accounts, certificate) = try await blocking {
            (try settings.htpasswd.map { try RegistryAccounts(file: $0) }, try Self.certificate(settings))
        }
        let service = RegistryService(
            store: store,
            accounts: accounts,
            uploads: RegistryUploads(store: store),
            report: { [weak self] text in Task { await self?.tell(text) } }
        )
        let server = HTTPServer(
            address: .tcp(address: address == "localhost" ? "127.0.0.1" : address, port: port),
            bodyLimit: ByteCount(Int64(RegistryService.maximalManifest)),
            certificate: certificate,
            receiver: service.receiver,
            handler: service.answer
        )
        try server.start()
        let host = address.contains(":") ? "[\(address)]" : address
        let url = "\(certificate == nil ? "http" : "https")://\(host):\(server.port ?? port)/"
        running = Running(settings: settings, server: server, url: url)
        if settings.isPermanent {
            let file = file
            try await blocking { try Files.replace(file, try encodeJSON(settings), mode: 0o600, sync: true) }
        }
        return try await status() ?? .init(url: url, settings: settings, repositories: 0)
    }

    private static func certificate(_ settings: RegistrySettings) throws -> HTTPServer.Certificate? {
        switch (settings.certificate, settings.key) {
        case (nil, nil): return nil
        case (let certificate?, let key?):
            return .init(certificate: try Files.readText(certificate), key: try Files.readText(key))
        default:
            throw EscaleError(
                .init("registry.certificate"),
                "a certificate needs its key, and a key its certificate",
                hint: "give --tls-certificate and --tls-key"
            )
        }
    }

    /// Ends serving; `false` where nothing served.
    package func stop() async throws -> Bool {
        let file = file
        try await blocking { try Files.remove(file) }
        guard let running else { return false }
        self.running = nil
        await running.server.stop(grace: .seconds(2))
        return true
    }

    package func status() async throws -> RegistryStatus? {
        guard let running else { return nil }
        let repositories = store.repositories
        let count = try await blocking { try repositories.names().count }
        return RegistryStatus(url: running.url, settings: running.settings, repositories: count)
    }

    // MARK: What happens

    private func tell(_ text: String) { for listener in listeners.values { listener(text) } }

    /// Hears of each push and pull until the task is cancelled.
    package func watch(_ listener: @escaping @Sendable (String) -> Void) async {
        nextListener += 1
        let id = nextListener
        listeners[id] = listener
        // Ended by cancellation only.
        while !Task.isCancelled { try? await Task.sleep(for: .seconds(3600)) }
        listeners[id] = nil
    }
}
