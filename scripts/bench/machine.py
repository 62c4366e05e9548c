"""Processes that are measured, and what the machine does meanwhile."""

import os
import re
import shutil
import subprocess
import tempfile
import threading
import time

HUGE_SYS = "/sys/kernel/mm/hugepages/hugepages-2048kB"


class BenchError(Exception):
    """A case cannot be run; the words say why and what helps."""


class Unavailable(BenchError):
    """Something that a case needs is not there."""


def wait_until(what, limit, ready, pause=0.002):
    """Calls `ready` until it gives something true, and gives that."""
    end = time.monotonic() + limit
    while True:
        value = ready()
        if value:
            return value
        if time.monotonic() > end:
            raise BenchError(f"waited {limit} s in vain for {what}")
        time.sleep(pause)


def cpus():
    """CPU of the worker that is measured, and one for everything else."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        raise Unavailable("one CPU is not enough: a worker and its generator need one each")
    return allowed[-1], allowed[0]


def cpu_pair(bin_dir, what, *more):
    """Figures of the two CPUs themselves (crates/sys/examples/cpu_pair.rs). Meanwhile nothing else should run."""
    program = os.path.join(bin_dir, "examples", "cpu_pair")
    worker, other = cpus()
    argv = [program, what, str(other), str(worker), *map(str, more)]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
    except OSError as e:
        raise Unavailable(f"{program} cannot be started: {e.strerror} (scripts/bench.sh without --no-build)") from e
    if done.returncode:
        raise Unavailable(f"{program}: {done.stderr.strip()}")
    return [float(word) for word in done.stdout.split()]


def huge_dir():
    """The hugetlbfs mount of 2 MB pages that is ours."""
    with open("/proc/mounts") as mounts:
        for line in mounts:
            _, point, kind, options = line.split()[:4]
            if kind == "hugetlbfs" and "pagesize=1024M" not in options and os.stat(point).st_uid == os.getuid():
                return point
    raise Unavailable("no hugetlbfs mount is ours (scripts/setup.sh)")


def huge_free_mb():
    """Free hugepages, in megabytes."""
    with open(f"{HUGE_SYS}/free_hugepages") as file:
        return 2 * int(file.read())


def forget(prefix):
    """Removes what processes of an EAL file prefix left because they did not end well."""
    base = "/var/run" if os.getuid() == 0 else os.environ.get("XDG_RUNTIME_DIR", "/tmp")
    shutil.rmtree(os.path.join(base, "dpdk", prefix), ignore_errors=True)
    for name in os.listdir(huge_dir()):
        if name.startswith(f"{prefix}map_"):
            os.unlink(os.path.join(huge_dir(), name))


class CpuTime:
    """Where the CPUs' time went between two looks: what the hypervisor took, and what was in use."""

    def __init__(self):
        self.last = self._read()

    @staticmethod
    def _read():
        with open("/proc/stat") as file:
            fields = [int(n) for n in file.readline().split()[1:]]
        # user nice system idle iowait irq softirq steal; guest times are in user already
        return sum(fields[:8]), fields[7], fields[3] + fields[4]

    def shares(self):
        """Stolen and used shares, 0..1, since the last look."""
        now = self._read()
        total, steal, idle = (b - a for a, b in zip(self.last, now))
        self.last = now
        return (steal / total, (total - idle) / total) if total else (0.0, 0.0)


def others_share(seconds=0.3):
    """Share of the CPUs, 0..1, that is in use while we only wait."""
    time_used = CpuTime()
    time.sleep(seconds)
    return time_used.shares()[1]


def nice(process):
    """Above everything that is not measured. Without the right to it, it stays as it is."""
    try:
        for task in os.listdir(f"/proc/{process.pid}/task"):
            os.setpriority(os.PRIO_PROCESS, int(task), -20)
    except PermissionError:
        pass


class Process:
    """A process with its output, ended when its `with` block is left."""

    def __init__(self, name, argv, env=None):
        self.name = name
        self.text = ""
        self.grown = threading.Condition()
        try:
            self.popen = subprocess.Popen(
                [str(a) for a in argv],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
            )
        except OSError as e:
            raise Unavailable(f"{argv[0]} cannot be started: {e}") from e
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        while True:
            chunk = self.popen.stdout.read1(65536)
            with self.grown:
                if not chunk:
                    self.grown.notify_all()
                    return
                self.text += chunk.decode("utf-8", "replace")
                self.grown.notify_all()

    @property
    def pid(self):
        return self.popen.pid

    def alive(self):
        return self.popen.poll() is None

    def fail(self, what):
        """Raises with what the process said last."""
        tail = "\n".join(self.text.splitlines()[-15:])
        raise BenchError(f"{self.name} {what}; it said last:\n{tail}")

    def wait_text(self, text, start=0, limit=30):
        """Waits until `text` was printed at or after position `start`; gives what came before it."""
        end = time.monotonic() + limit
        with self.grown:
            while True:
                at = self.text.find(text, start)
                if at >= 0:
                    return self.text[start:at]
                if not self.alive():
                    self.fail(f"ended with status {self.popen.returncode} while waiting for {text!r}")
                if not self.grown.wait(min(0.2, max(0.0, end - time.monotonic()))) and time.monotonic() > end:
                    self.fail(f"did not print {text!r} within {limit} s")

    def send(self, line):
        self.popen.stdin.write(line.encode() + b"\n")
        self.popen.stdin.flush()

    def thread(self, name):
        """Id of the thread whose name contains `name`."""

        def find():
            for tid in os.listdir(f"/proc/{self.pid}/task"):
                with open(f"/proc/{self.pid}/task/{tid}/comm") as file:
                    if name in file.read():
                        return tid
            return None

        return wait_until(f"a thread {name} of {self.name}", 10, find)

    def cpu_seconds(self, tid=None):
        """CPU time of a thread, or of the whole process, in seconds."""
        tasks = [tid] if tid else os.listdir(f"/proc/{self.pid}/task")
        total = 0.0
        for task in tasks:
            base = f"/proc/{self.pid}/task/{task}"
            try:
                with open(f"{base}/schedstat") as file:
                    total += int(file.read().split()[0]) / 1e9
            except FileNotFoundError:
                # A kernel without schedstat counts in ticks.
                with open(f"{base}/stat") as file:
                    fields = file.read().rsplit(")", 1)[1].split()
                total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return total

    def waited_seconds(self, tid):
        """Time that a thread was ready to run and had no CPU, in seconds; 0 where the kernel does not tell."""
        try:
            with open(f"/proc/{self.pid}/task/{tid}/schedstat") as file:
                return int(file.read().split()[1]) / 1e9
        except FileNotFoundError:
            return 0.0

    def memory_mb(self):
        """Resident memory beyond hugepages, in megabytes: RssAnon + RssFile."""
        return memory_mb(self.pid)

    def end(self):
        """Asks it to end, and kills it if it does not."""
        if self.alive():
            self.popen.terminate()
            try:
                self.popen.wait(15)
            except subprocess.TimeoutExpired:
                self.popen.kill()
        self.popen.wait()
        self.popen.stdin.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


def memory_mb(pid):
    """RssAnon + RssFile of a process, in megabytes."""
    with open(f"/proc/{pid}/status") as file:
        text = file.read()
    return sum(int(n) for n in re.findall(r"^Rss(?:Anon|File):\s*(\d+) kB", text, re.M)) / 1024


class Scratch:
    """A folder with a short path, for sockets."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="spp-bench-")
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)
