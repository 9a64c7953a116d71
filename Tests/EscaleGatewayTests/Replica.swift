import EscaleCore
import EscaleNetlink
import EscaleSystem
import EscaleTestSupport
import Glibc

/// A small HTTP server on one address and port 9000 that does as its path says; see the script.
let replicaScript = #"""
import asyncio, base64, hashlib, json, sys, signal
name, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
count = 0
gate = asyncio.Event()
async def frames(reader, writer):
    while True:
        head = await reader.readexactly(2)
        length = head[1] & 127
        if length == 126: length = int.from_bytes(await reader.readexactly(2), 'big')
        mask = await reader.readexactly(4)
        data = bytes(b ^ mask[i % 4] for i, b in enumerate(await reader.readexactly(length)))
        if head[0] & 15 == 8: return
        writer.write(bytes([0x81, length]) + data); await writer.drain()
async def serve(reader, writer):
    global count
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin1").split("\r\n")
            method, target, _ = head[0].split(" ", 2)
            headers = {}
            for line in head[1:]:
                if ":" in line:
                    key, value = line.split(":", 1)
                    key = key.lower(); value = value.strip()
                    headers[key] = headers[key] + "|" + value if key in headers else value
            body = b""
            if "content-length" in headers: body = await reader.readexactly(int(headers["content-length"]))
            elif headers.get("transfer-encoding") == "chunked":
                while True:
                    size = int(await reader.readline(), 16)
                    piece = await reader.readexactly(size + 2)
                    if size == 0: break
                    body += piece[:-2]
            path, _, query = target.partition("?")
            status, text = 200, name
            if method == "POST": count += 1
            if path == "/slow": await asyncio.sleep(float(query))
            elif path == "/held": await gate.wait()
            elif path == "/go": gate.set()
            elif path == "/status": status = int(query)
            elif path == "/headers": text = json.dumps(headers)
            elif path == "/length": text = str(len(body)) + " " + hashlib.md5(body).hexdigest()
            elif path == "/count": text = str(count)
            elif path == "/drop": writer.close(); return
            elif path == "/ws":
                key = base64.b64encode(hashlib.sha1((headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
                writer.write(b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + key + b"\r\n\r\n")
                await frames(reader, writer); writer.close(); return
            data = text.encode()
            writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(data)}\r\n\r\n".encode() + (b"" if method == "HEAD" else data))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError): writer.close()
async def main():
    server = await asyncio.start_server(serve, address, port, backlog=512)
    print("ready", flush=True)
    async with server: await server.serve_forever()
asyncio.run(main())
"""#

/// A process of the test's own.
final class Helper: Sendable {
    let process: ChildProcess
    init(_ process: ChildProcess) { self.process = process }

    func end(_ signal: Int32 = SIGKILL) async {
        process.signal(signal)
        _ = try? await process.wait()
    }
}
