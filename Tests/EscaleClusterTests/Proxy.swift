import EscaleSystem
import EscaleTestSupport
import Testing

/// A proxy in a child process that leads everybody to this machine, whatever name they ask for.
///
/// It speaks HTTP's CONNECT and SOCKS 5. What it was asked for is in `proxied`: the kind, where to, who asked.
enum Proxy {
    private static let program = """
        import base64, os, socket, sys, threading
        refuses = sys.argv[1] == "true"
        listener = socket.create_server(("127.0.0.1", 0))
        with open("port.new", "w") as file:
            file.write(str(listener.getsockname()[1]))
        os.rename("port.new", "port")

        def exactly(client, count):
            data = b""
            while len(data) < count:
                more = client.recv(count - len(data))
                if not more:
                    raise OSError("gone")
                data += more
            return data

        def relay(source, sink):
            try:
                while data := source.recv(65536):
                    sink.sendall(data)
            except OSError:
                pass
            for one in (source, sink):
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

        def http(client, head):
            while not head.endswith(b"\\r\\n\\r\\n"):
                head += exactly(client, 1)
            lines = head.decode().split("\\r\\n")
            who = [base64.b64decode(line.split()[-1]).decode() for line in lines if line.lower().startswith("proxy-authorization:")]
            return lines[0].split()[1], who[0] if who else "-", b"HTTP/1.1 200 OK\\r\\n\\r\\n", b"HTTP/1.1 407 No\\r\\nContent-Length: 0\\r\\n\\r\\n"

        def socks(client):
            methods = exactly(client, exactly(client, 1)[0])
            who = "-"
            if 2 in methods:
                client.sendall(b"\\x05\\x02")
                exactly(client, 1)
                name = exactly(client, exactly(client, 1)[0])
                who = (name + b":" + exactly(client, exactly(client, 1)[0])).decode()
                client.sendall(b"\\x01\\x00")
            else:
                client.sendall(b"\\x05\\x00")
            kind = exactly(client, 4)[3]
            host = socket.inet_ntoa(exactly(client, 4)) if kind == 1 else exactly(client, exactly(client, 1)[0]).decode()
            port = int.from_bytes(exactly(client, 2), "big")
            return f"{host}:{port}", who, b"\\x05\\x00\\x00\\x01" + b"\\0" * 6, b"\\x05\\x02\\x00\\x01" + b"\\0" * 6

        def serve(client):
            first = exactly(client, 1)
            place, who, yes, no = socks(client) if first == b"\\x05" else http(client, first)
            with open("proxied", "a") as file:
                file.write(f"{'socks5' if first == bytes([5]) else 'http'} {place} {who}\\n")
            if refuses:
                client.sendall(no)
                client.close()
                return
            server = socket.create_connection(("127.0.0.1", int(place.rpartition(":")[2])))
            client.sendall(yes)
            threading.Thread(target=relay, args=(server, client), daemon=True).start()
            relay(client, server)

        while True:
            threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
        """

    /// - Parameter refuses: whether it lets nobody through.
    static func with(_ directory: ScratchDirectory, refuses: Bool = false, _ body: (_ port: Int) async throws -> Void) async throws {
        try directory.file("proxy.py", program)
        let null = try FileDescriptor("/dev/null", 2)
        let child = try await Command("/usr/bin/python3", ["proxy.py", "\(refuses)"], directory: directory.path).blockingSpawn([null, null, null])
        let outcome: Result<Void, any Error>
        do {
            let deadline = ContinuousClock.now + .seconds(30)
            while !Files.exists(directory("port")), ContinuousClock.now < deadline { try await Task.sleep(for: .milliseconds(5)) }
            outcome = .success(try await body(try #require(Int(try directory.text("port")))))
        } catch {
            outcome = .failure(error)
        }
        child.signal(9)
        _ = try await child.wait()
        try outcome.get()
    }
}
