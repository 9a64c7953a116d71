/// What runs inside the test's containers.
enum Scripts {
    static let all = ["serve.py": serve, "call.py": call, "ask.py": ask, "stick.py": stick]

    /// `serve.py READY NAME PORT`: answers TCP and UDP with "NAME CALLER-ADDRESS", logs the caller, and makes the file READY first.
    private static let serve = """
        import socket, sys, threading
        ready, name, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
        def line(peer):
            print("from", peer[0], file=sys.stderr, flush=True)
            return (name + " " + peer[0] + "\\n").encode()
        tcp = socket.socket(); tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tcp.bind(("0.0.0.0", port)); tcp.listen(256)
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind(("0.0.0.0", port))
        def packets():
            while True:
                _, peer = udp.recvfrom(2048); udp.sendto(line(peer), peer)
        threading.Thread(target=packets, daemon=True).start()
        open(ready, "w").close()
        while True:
            connection, peer = tcp.accept()
            connection.sendall(line(peer)); connection.close()
        """

    /// `call.py tcp|udp HOST PORT [COUNT] [SECONDS] [SOURCE]`: prints each answer, or why there is none.
    private static let call = """
        import socket, sys
        kind, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
        count = int(sys.argv[4]) if len(sys.argv) > 4 else 1
        patience = float(sys.argv[5]) if len(sys.argv) > 5 else 3
        source = sys.argv[6] if len(sys.argv) > 6 else None
        for _ in range(count):
            try:
                address = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)[0][4]
                s = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
                s.settimeout(patience)
                if source: s.bind((source, 0))
                s.connect(address)
                if kind == "udp": s.send(b"?")
                print(s.recv(2048).decode().strip())
                s.close()
            except ConnectionRefusedError: print("refused")
            except ConnectionResetError: print("reset")
            except (socket.timeout, TimeoutError): print("timeout")
            except socket.gaierror: print("unknown")
            except OSError as error: print("failed", error.errno)
        """

    /// `stick.py HOST PORT FILE`: asks by UDP from one socket until FILE is there, and prints the last answer and
    /// the first after it.
    private static let stick = """
        import os, socket, sys, time
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(0.2)
        s.connect((sys.argv[1], int(sys.argv[2])))
        def ask():
            try:
                s.send(b"?"); return s.recv(2048).decode().split()[0]
            except OSError: return "none"
        before = ask()
        open(sys.argv[3] + ".asked", "w").close()
        while not os.path.exists(sys.argv[3]):
            ask(); time.sleep(0.01)
        print(before, ask())
        """

    /// `ask.py tcp|udp SERVER NAME TYPE`: prints the answer's code and addresses.
    private static let ask = """
        import socket, struct, sys
        kind, server, name, type = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
        q = struct.pack(">6H", 7, 256, 1, 0, 0, 0)
        q += b"".join(bytes([len(l)]) + l.encode() for l in name.split(".")) + b"\\0" + struct.pack(">2H", type, 1)
        try:
            if kind == "tcp":
                s = socket.create_connection((server, 53), 2); s.sendall(struct.pack(">H", len(q)) + q)
                r = s.recv(2048)[2:]
            else:
                s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(1)
                s.sendto(q, (server, 53)); r = s.recv(2048)
            answers, at, found = struct.unpack(">H", r[6:8])[0], len(q), []
            for _ in range(answers):
                at = at + 2 if r[at] >= 192 else r.index(b"\\0", at) + 1
                kind, _, _, size = struct.unpack(">HHIH", r[at:at + 10]); at += 10
                found.append(socket.inet_ntoa(r[at:at + size]) if kind == 1 else "type" + str(kind)); at += size
            print({0: "ok", 3: "nxdomain", 5: "refused"}.get(r[3] & 15, r[3] & 15), *sorted(found))
        except ConnectionRefusedError: print("unreachable")
        except (socket.timeout, TimeoutError): print("timeout")
        """
}
