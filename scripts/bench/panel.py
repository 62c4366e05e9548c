"""A panel under test. The bench is its controller, so that nothing else runs beside it."""

import itertools
import json
import os
import socket
import time

from machine import BenchError, Process, Scratch, Unavailable, cpus, forget, huge_dir, nice

_count = itertools.count()


class Connection:
    """The TCP protocol to one process, in newline framing (docs/protocol.md)."""

    def __init__(self, sock):
        self.sock = sock
        sock.settimeout(20)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pending = b""
        sock.sendall(b"_get_client_id")
        self.id = self._bare()["client_id"]
        sock.sendall(b"_framing newline")
        self._bare()

    def _receive(self):
        chunk = self.sock.recv(1 << 16)
        if not chunk:
            raise BenchError("a process closed its connection")
        self.pending += chunk

    def _bare(self):
        """Before the framing is settled a reply is one document without an end mark."""
        while True:
            self._receive()
            try:
                value = json.loads(self.pending)
            except ValueError:
                continue
            self.pending = b""
            return value

    def ask(self, command):
        """Sends a command and gives its reply; a refusal is an error."""
        self.sock.sendall(command.encode() + b"\n")
        while b"\n" not in self.pending.lstrip(b"\n"):
            self._receive()
        line, self.pending = self.pending.lstrip(b"\n").split(b"\n", 1)
        reply = json.loads(line)
        if reply.get("result") == "failed":
            raise BenchError(f"{command}: {reply.get('error')}")
        # vf and mirror answer in another form.
        for result in reply.get("results", []):
            if result["result"] != "success":
                raise BenchError(f"{command}: {result}")
        return reply

    def detail(self):
        return self.ask("_detail")


def generate(panel, number, cpu, words):
    """Runs spp-traffic from ring:0 to ring:1 on a CPU; gives its report."""
    argv = [panel.program("spp-traffic"), "--sec-id", number, "--file-prefix", panel.prefix]
    argv += ["--huge-dir", huge_dir(), "--wait", 20, "--lcores", cpu, "--tx", "ring:0", "--rx", "ring:1", "--json", *words]
    with Process("spp-traffic", argv) as traffic:
        nice(traffic)
        traffic.popen.wait(60)
        traffic.reader.join(10)
        lines = [line for line in traffic.text.splitlines() if line.startswith("{")]
        if traffic.popen.returncode or len(lines) != 1:
            traffic.fail(f"ended with status {traffic.popen.returncode} and {len(lines)} reports")
        return json.loads(lines[0])


class Panel:
    """A primary and its workers, with names of its own, ended with the `with` block."""

    def __init__(self, bin_dir, primary=(), memory=256):
        self.bin_dir = bin_dir
        self.prefix = f"bench{os.getpid()}n{next(_count)}"
        self.arguments = [f"--memory={memory}", *primary]
        self.control = ["--no-ctl"]
        self.processes = []

    def program(self, name):
        path = os.path.join(self.bin_dir, name)
        if not os.access(path, os.X_OK):
            raise Unavailable(f"{path} does not exist")
        return path

    def __enter__(self):
        self.scratch = Scratch()
        self.dir = self.scratch.__enter__()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(30)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        try:
            argv = [self.program("spp-primary"), "--file-prefix", self.prefix, "--vhost-dir", self.dir]
            argv += ["--huge-dir", huge_dir(), "--lcores", cpus()[1], *self.control, *self.arguments]
            self.primary = self._start("spp-primary", argv)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self, name, argv):
        process = Process(name, argv)
        self.processes.append(process)
        return process

    def worker_argv(self, kind, number, cpu, poll):
        return [self.program(f"spp-{kind}"), "--sec-id", number, "--file-prefix", self.prefix, "--wait", 20] + [
            "--huge-dir", huge_dir(), "--lcores", cpu, "--poll", poll]

    def nfv(self, number, cpu, poll="busy", extra=()):
        return self.worker("nfv", number, cpu, poll, extra)

    def worker(self, kind, number, cpu, poll="busy", extra=()):
        """Starts a worker process; gives it with its connection and its polling thread."""
        argv = self.worker_argv(kind, number, cpu, poll)
        process = self._start(f"spp-{kind} {number}", [*argv, "--ctl", self.address, *extra])
        try:
            sock, _ = self.listener.accept()
        except TimeoutError:
            process.fail("did not connect within 30 s")
        process.control = Connection(sock)
        process.polling = process.thread("spp-worker")
        return process

    def socket(self, number):
        return os.path.join(self.dir, f"sock{number}")

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.end()
        self.listener.close()
        self.scratch.__exit__()
        forget(self.prefix)


class Measure:
    """What a worker did between two looks."""

    def __init__(self, process):
        self.process = process
        self.before = self._look()

    def _look(self):
        began = time.monotonic()
        detail = self.process.control.detail()
        return detail, self.process.cpu_seconds(self.process.polling), (began + time.monotonic()) / 2

    def end(self):
        """Figures since the start, as a dict: pps, cpu_share, pps_per_cpu, cycles, busy, drops."""
        (d0, cpu0, t0), (d1, cpu1, t1) = self.before, self._look()
        w0, w1 = d0["workers"][0], d1["workers"][0]
        cycles = d1["tsc"] - d0["tsc"]
        packets, busy = w1["packets"] - w0["packets"], w1["busy-cycles"] - w0["busy-cycles"]
        pps = packets * d1["tsc-hz"] / cycles
        share = (cpu1 - cpu0) / (t1 - t0)
        polls = w1["polls"] - w0["polls"] - (w1["empty-polls"] - w0["empty-polls"])
        drops = [sum(sum(p["drops"].values()) for p in d["ports"]) for d in (d0, d1)]
        return {
            "pps": pps,
            "cpu-share": share,
            "pps-per-cpu": pps / share if share else 0.0,
            "cycles": busy / packets if packets else None,
            # Of the time that the thread really ran.
            "busy": min(1.0, busy / cycles / share) if share else 0.0,
            # Packets in a poll that found any.
            "burst": packets / polls if polls else None,
            "drops": drops[1] - drops[0],
        }
