#!/usr/bin/env python3
"""slow_wire.py NAMESPACE_1 INTERFACE_1 NAMESPACE_2 INTERFACE_2 DELAY_MS LOSS - a slow wire between two network namespaces.

Makes a tap device in each, and carries every frame from one to the other DELAY_MS later; of a hundred it drops LOSS. Prints
"up" as soon as both are there; runs until its input ends. Nothing but the standard library; needs root and /dev/net/tun.
"""
import collections
import ctypes
import fcntl
import os
import random
import select
import struct
import sys
import time

TUNSETIFF, IFF_TAP, IFF_NO_PI, CLONE_NEWNET = 0x400454CA, 0x0002, 0x1000, 0x40000000
FRAME_BYTES = 65536


def open_tap(namespace, interface):
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/run/netns/{namespace}") as file:
        if libc.setns(file.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter the namespace {namespace}")
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", interface.encode(), IFF_TAP | IFF_NO_PI))
    return tap


def write(tap, frame):
    try:
        os.write(tap, frame)
    except OSError:
        pass  # the other side's interface is down: such a frame is lost, as on a wire


def main():
    taps = [open_tap(sys.argv[1], sys.argv[2]), open_tap(sys.argv[3], sys.argv[4])]
    delay, loss = float(sys.argv[5]) / 1000, float(sys.argv[6]) / 100
    dice = random.Random(1)
    on_its_way = collections.deque()  # (due, tap, frame), by time
    print("up", flush=True)
    while True:
        wait = None if not on_its_way else max(0.0, on_its_way[0][0] - time.monotonic())
        readable, _, _ = select.select([*taps, sys.stdin], [], [], wait)
        if sys.stdin in readable:
            return
        for tap in readable:
            other = taps[tap == taps[0]]
            for _ in range(64):
                try:
                    frame = os.read(tap, FRAME_BYTES)
                except OSError:
                    break
                if dice.random() >= loss:
                    on_its_way.append((time.monotonic() + delay, other, frame))
        while on_its_way and on_its_way[0][0] <= time.monotonic():
            write(*on_its_way.popleft()[1:])


if __name__ == "__main__":
    main()
