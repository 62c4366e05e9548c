"""A vhost-user client in a few lines: one queue pair, one packet at a time, so that a packet's way can be timed.

vhost-user and virtio 1.1 (split virtqueues) as their specifications have them; x86 orders stores as written, and every
packet is followed by a kick, a system call, so no further fences are needed.
"""

import array
import mmap
import os
import socket
import struct
import time

from machine import BenchError, wait_until

SIZE = 16 << 20
ENTRIES = 256
HEADER = 12  # virtio_net_hdr of virtio 1
BUFFER = 2048
BASE = 0x10000000  # where the guest believes its memory to be
VERSION_1 = 1 << 32

GET_FEATURES, SET_FEATURES, SET_OWNER, SET_MEM_TABLE = 1, 2, 3, 5
SET_VRING_NUM, SET_VRING_ADDR, SET_VRING_BASE, SET_VRING_KICK, SET_VRING_CALL = 8, 9, 10, 12, 13


class Queue:
    """A split virtqueue in the guest's memory at `offset`."""

    def __init__(self, guest, offset, buffers, writable):
        self.guest, self.memory = guest, guest.memory
        self.desc, self.avail, self.used = offset, offset + 0x2000, offset + 0x3000
        self.buffers = buffers
        self.avail_idx = self.used_idx = 0
        self.kick = os.eventfd(0, os.EFD_NONBLOCK)
        self.call = os.eventfd(0, os.EFD_NONBLOCK)
        flags = 2 if writable else 0  # VRING_DESC_F_WRITE
        for i in range(ENTRIES):
            struct.pack_into("<QIHH", self.memory, self.desc + 16 * i, BASE + buffers + i * BUFFER, BUFFER, flags, 0)
        # We poll: no call is wanted.
        struct.pack_into("<H", self.memory, self.avail, 1)

    def offer(self, buffer):
        """Makes a buffer available."""
        struct.pack_into("<H", self.memory, self.avail + 4 + 2 * (self.avail_idx % ENTRIES), buffer)
        self.avail_idx = (self.avail_idx + 1) & 0xFFFF
        struct.pack_into("<H", self.memory, self.avail + 2, self.avail_idx)

    def length(self, buffer, length):
        struct.pack_into("<I", self.memory, self.desc + 16 * buffer + 8, length)

    def done(self):
        """Whether the other side has used a buffer that we have not taken back."""
        return struct.unpack_from("<H", self.memory, self.used + 2)[0] != self.used_idx

    def take(self):
        """Takes back a used buffer: its number and the bytes written."""
        entry = struct.unpack_from("<II", self.memory, self.used + 4 + 8 * (self.used_idx % ENTRIES))
        self.used_idx = (self.used_idx + 1) & 0xFFFF
        return entry


class Guest:
    """A connected vhost-user client."""

    def __init__(self, path):
        fd = os.memfd_create("spp-bench-guest")
        os.ftruncate(fd, SIZE)
        self.memory = mmap.mmap(fd, SIZE)
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        wait_until(f"the socket {path}", 10, lambda: os.path.exists(path))
        self.sock.connect(path)
        self.address = 0x7F0000000000  # any: the other side only translates it
        self.number = 0
        half = SIZE // 2
        self.receive = Queue(self, 0x0000, 0x100000, True)
        self.send = Queue(self, 0x8000, half, False)

        self._ask(SET_OWNER)
        features = struct.unpack("<Q", self._ask(GET_FEATURES, answer=True))[0]
        if not features & VERSION_1:
            raise BenchError("the vhost port does not offer virtio 1")
        self._ask(SET_FEATURES, struct.pack("<Q", VERSION_1))
        region = struct.pack("<II4Q", 1, 0, BASE, SIZE, self.address, 0)
        self._ask(SET_MEM_TABLE, region, [fd])
        os.close(fd)
        for index, queue in enumerate([self.receive, self.send]):
            self._ask(SET_VRING_NUM, struct.pack("<II", index, ENTRIES))
            self._ask(SET_VRING_BASE, struct.pack("<II", index, 0))
            at = [self.address + offset for offset in (queue.desc, queue.used, queue.avail)]
            self._ask(SET_VRING_ADDR, struct.pack("<IIQQQQ", index, 0, *at, 0))
            self._ask(SET_VRING_CALL, struct.pack("<Q", index), [queue.call])
            self._ask(SET_VRING_KICK, struct.pack("<Q", index), [queue.kick])
        for i in range(ENTRIES - 1):
            self.receive.offer(i)
        self._kick(self.receive)

    def _ask(self, request, payload=b"", fds=(), answer=False):
        message = struct.pack("<III", request, 1, len(payload)) + payload
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.sock.sendmsg([message], control)
        if not answer:
            return b""
        head = self.sock.recv(12, socket.MSG_WAITALL)
        return self.sock.recv(struct.unpack("<III", head)[2], socket.MSG_WAITALL)

    @staticmethod
    def _kick(queue):
        os.write(queue.kick, struct.pack("<Q", 1))

    def round_trip(self, limit=1.0):
        """Sends one frame of 60 bytes and polls until it comes back; seconds, or None after the limit."""
        # One that came back after its limit is not taken for this one.
        self.number += 1
        frame = b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x88\xb5" + struct.pack("<Q", self.number) + bytes(38)
        while self.send.done():
            self.send.take()
        at = self.send.buffers
        self.memory[at:at + HEADER + len(frame)] = bytes(HEADER) + frame
        self.send.length(0, HEADER + len(frame))
        receive, clock = self.receive, time.perf_counter
        began = clock()
        self.send.offer(0)
        self._kick(self.send)
        while True:
            while not receive.done():
                if clock() - began > limit:
                    return None
            took = clock() - began
            buffer, _ = receive.take()
            at = receive.buffers + buffer * BUFFER + HEADER + 14
            number = struct.unpack_from("<Q", self.memory, at)[0]
            receive.offer(buffer)
            if number == self.number:
                return took

    def close(self):
        self.sock.close()
        for queue in (self.receive, self.send):
            os.close(queue.kick)
            os.close(queue.call)
        self.memory.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
