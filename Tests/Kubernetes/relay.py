"""Carries connections to a port of the node's loopback on to the same port of the host's, so that the node finds a registry that
serves this host alone under the same name.

usage: relay.py NETNS PORT     NETNS: an open file of the node's network namespace
"""

import asyncio
import ctypes
import os
import socket
import sys

NEW_NETWORK = 0x40000000


def listen_in(namespace, port):
    """A socket belongs to the network that its process is in when it is made."""
    enter = ctypes.CDLL(None, use_errno=True).setns
    own = os.open("/proc/self/ns/net", os.O_RDONLY)
    if enter(namespace, NEW_NETWORK) != 0:
        raise OSError(ctypes.get_errno(), "setns")
    listening = socket.create_server(("127.0.0.1", port))
    enter(own, NEW_NETWORK)
    os.close(own)
    return listening


async def carry(source, target):
    try:
        while data := await source.read(1 << 16):
            target.write(data)
            await target.drain()
    except OSError:
        pass  # one of both is gone: the other is told
    finally:
        target.close()


async def serve(listening, port):
    async def take(source, target):
        try:
            there = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            target.close()
            return
        await asyncio.gather(carry(source, there[1]), carry(there[0], target))

    async with await asyncio.start_server(take, sock=listening) as server:
        print("listening", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    NUMBER = int(sys.argv[2])
    asyncio.run(serve(listen_in(int(sys.argv[1]), NUMBER), NUMBER))
