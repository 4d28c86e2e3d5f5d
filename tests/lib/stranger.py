#!/usr/bin/env python3
"""stranger.py ADDRESS... - what somebody who is no rank of a job tries against its sockets; ADDRESS is IP:PORT or a path.

Each attack gets a connection of its own and writes what it has, at all addresses at the same time; its line says how many bytes came back, and how many of them are
more than the 64 bytes with which ZeroMQ greets everybody. Exit code 1 where any came that are. Nothing but the standard library.
"""
import socket
import struct
import sys
import threading

STOP, BEGIN, LOAD, HEARTBEAT = 16, 5, 19, 15


def connect(address):
    if address.startswith("/"):
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(address)
    else:
        host, port = address.rsplit(":", 1)
        peer = socket.create_connection((host, int(port)), timeout=3)
    peer.settimeout(0.15)
    return peer


def greeting(mechanism, as_server=0):
    return b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + mechanism.ljust(20, b"\0") + bytes([as_server]) + bytes(31)


def frame(body, flags=0):
    if len(body) < 256:
        return struct.pack(">BB", flags, len(body)) + body
    return struct.pack(">BQ", flags | 2, len(body)) + body


def command(name, body):
    return frame(bytes([len(name)]) + name + body, 4)


def metadata(**properties):
    out = b""
    for name, value in properties.items():
        name = name.replace("_", "-").encode()
        out += bytes([len(name)]) + name + struct.pack(">I", len(value)) + value
    return out


def header(kind, payload=0):
    """As rank 0 would send it."""
    return struct.pack("<IHHQIIqQIIqq", 0x544C4D53, 2, kind, 1, 0, 0, 0, 0, 0, 1, 0, payload)


def as_rank_0(kind, *bodies):
    """What once made anybody the coordinator: no mechanism, and the routing id of rank 0."""
    ready = command(b"READY", metadata(Socket_Type=b"DEALER", Identity=b"r00000000"))
    frames = [header(kind, sum(map(len, bodies))), *bodies]
    sent = b"".join(frame(body, i + 1 < len(frames)) for i, body in enumerate(frames))
    return greeting(b"NULL") + ready + sent


def plain(name, token):
    return greeting(b"PLAIN") + command(b"HELLO", bytes([len(name)]) + name + bytes([len(token)]) + token)


ATTACKS = {
    "nothing": b"",
    "half a greeting": greeting(b"CURVE")[:11],
    "a web browser": b"GET / HTTP/1.1\r\nHost: job\r\n\r\n",
    "ZMTP 1.0": b"\x0ar00000000" + b"\x41\x00" + header(STOP),
    "junk": bytes(range(256)) * 1024,
    "STOP as rank 0": as_rank_0(STOP),
    "BEGIN as rank 0": as_rank_0(BEGIN, bytes(1064)),
    "LOAD as rank 0": as_rank_0(LOAD, bytes(1056), bytes(4), b""),
    "a token of its own": plain(b"r00000000", b"0" * 64) + command(b"INITIATE", metadata(Socket_Type=b"DEALER")) + frame(header(STOP)),
    "an empty token": plain(b"r00000000", b""),
    "a certificate of zeros": greeting(b"CURVE") + command(b"HELLO", b"\x01\x00" + bytes(192)) + frame(header(STOP)),
    "a frame of a terabyte": greeting(b"CURVE") + struct.pack(">BQ", 6, 1 << 40) + bytes(1 << 16),
    "a frame of 2^63": greeting(b"PLAIN") + struct.pack(">BQ", 6, 1 << 63) + bytes(1 << 16),
    "a server": greeting(b"CURVE", 1) + command(b"WELCOME", bytes(160)),
}


def attack(address, what):
    got = b""
    try:
        with connect(address) as peer:
            peer.sendall(what)
            while part := peer.recv(65536):
                got += part
    except OSError:
        pass
    return len(got)


def besiege(address, worst):
    held = []
    for _ in range(100):
        try:
            held.append(connect(address))
            held[-1].sendall(b"\xff")
        except OSError:
            pass
    print(f"{address}: {len(held)} connections that say nothing more")
    for name, what in ATTACKS.items():
        got = attack(address, what)
        more = max(0, got - 64)
        worst.append(more)
        print(f"{address}: {name}: {got} bytes back, {more} more than a greeting")
    for peer in held:
        peer.close()


def main(addresses):
    worst = [0]
    threads = [threading.Thread(target=besiege, args=(address, worst)) for address in addresses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return max(worst) > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
