"""The same process in a container and on the host: a worker of the panel, and a guest at its vhost ports."""

import json
import os
import shutil
import signal
import subprocess
from contextlib import ExitStack, contextmanager

from machine import BenchError, Process, Unavailable, cpus, forget, huge_dir, wait_until
from panel import Connection, Panel
from session import session
from traffic import measured, peer


# Where the image has the program.
PROGRAM = "/usr/local/bin/spp-nfv"

APP = f"""image = "spp"
binary = "{PROGRAM}"
role = "secondary"
form = "own"
network = "host"
args = {{args}}
"""


class _Signals:
    """What a `Process` asks of its `Popen`, meant for the process in the container."""

    def __init__(self, popen, pid):
        self._popen, self._pid = popen, pid

    def __getattr__(self, name):
        return getattr(self._popen, name)

    def send_signal(self, number):
        os.kill(self._pid, number)


class Contained(Process):
    """A process of the panel in a container; its figures are those of the process itself."""

    def __init__(self, name, argv, container):
        super().__init__(name, argv)
        self.container = container
        self.inside = None

    @property
    def pid(self):
        return self.inside or self.popen.pid

    def find(self):
        """Its PID, as the host sees it."""

        def inspect():
            done = subprocess.run(["docker", "inspect", "-f", "{{.State.Pid}}", self.container], capture_output=True,
                                  text=True, check=False)
            return int(done.stdout.strip() or 0)

        self.inside = wait_until(f"the container {self.container}", 20, inspect)
        self.popen = _Signals(self.popen, self.inside)

    def end(self):
        if self.inside:
            # One that stands still takes no word.
            os.kill(self.inside, signal.SIGCONT)
            self.popen.terminate()
            try:
                self.popen.wait(20)
            except subprocess.TimeoutExpired:
                pass
        subprocess.run(["docker", "rm", "-f", self.container], capture_output=True, check=False)
        super().end()


def contained(panel, number, cpu, image):
    """Starts an nfv of a panel in a container, with the program of the host, so that both are the same."""
    name = f"{panel.prefix}-nfv{number}"
    apps = os.path.join(panel.dir, "apps")
    os.makedirs(apps)
    # As the bench starts it on the host.
    with open(os.path.join(apps, "bench-nfv.toml"), "w") as file:
        file.write(APP.format(args=json.dumps(["--sec-id", str(number), "--ctl", panel.address, "--poll", "busy"])))
    argv = [panel.program("spp"), "container", "run", "bench-nfv", "--apps", apps, "--file-prefix", panel.prefix]
    argv += ["--vhost-dir", panel.dir, "--huge-dir", huge_dir(), "-l", cpu, "--share-lcores", "--name", name, "-ci", image]
    argv += ["-v", f"{os.path.abspath(panel.program('spp-nfv'))}:{PROGRAM}:ro", "-fg"]
    process = Contained(f"spp-nfv {number} in a container", argv, name)
    panel.processes.append(process)
    try:
        sock, _ = panel.listener.accept()
    except TimeoutError:
        process.fail("did not connect within 30 s")
    process.control = Connection(sock)
    process.find()
    process.polling = process.thread("spp-worker")
    return process


def image_of(target):
    """The newest image that `spp container build -t TARGET` made."""
    if not shutil.which("docker"):
        raise Unavailable("docker is not in the PATH")
    done = subprocess.run(["docker", "images", "--format", "{{json .}}", f"sppc/{target}-*"], capture_output=True, text=True,
                          check=False)
    if done.returncode:
        raise Unavailable(f"docker: {done.stderr.strip()}")
    images = [json.loads(line) for line in done.stdout.splitlines()]
    if not images:
        raise Unavailable(f"there is no image for it: spp container build -t {target}")
    return f"{images[0]['Repository']}:{images[0]['Tag']}"


def vhost(in_container):
    """vhost <-> vhost, 64 B, one worker, in a container or not."""

    @contextmanager
    def opened(bin_dir):
        worker, other = cpus()
        image = image_of("spp")
        with Panel(bin_dir) as panel:
            nfv = contained(panel, 1, worker, image) if in_container else panel.nfv(1, worker)
            for command in ("add vhost:1", "add vhost:2", "patch vhost:1 vhost:2", "patch vhost:2 vhost:1"):
                nfv.control.ask(command)
            with peer(other, [panel.socket(1), panel.socket(2)], 64) as client:
                with session([*panel.processes, client], lambda seconds: _apart(nfv, in_container, seconds)) as made:
                    yield made

    return opened


def _apart(nfv, in_container, seconds):
    """Figures of the worker, which has to be where we say it is."""
    _where(nfv, in_container)
    return measured(nfv, seconds)


def _where(process, in_container):
    same = os.readlink(f"/proc/{process.pid}/ns/mnt") == os.readlink("/proc/self/ns/mnt")
    if same == in_container:
        raise BenchError(f"{process.name} is not where it should be")


def _guest(panel, cpu, in_container):
    """A testpmd at vhost:1 and vhost:2 whose packets, 512 of each port, go round."""
    after = ["--", "--no-mlockall", "--total-num-mbufs=16384", "--burst=512", "--tx-first", "--txpkts=64"]
    lcores = f"0@{cpu},1@{cpu}"
    if in_container:
        name = f"{panel.prefix}-guest"
        argv = [panel.program("spp"), "container", "run", "testpmd", "-ci", image_of("dpdk"), "--name", name, "-fg"]
        argv += ["--lcores", lcores, "--share-lcores", "-d", "vhost:1,vhost:2", "--vhost-dir", panel.dir, "-m", 192]
        guest = Contained("testpmd in a container", [*argv, "--huge-dir", huge_dir(), *after], name)
    else:
        argv = ["stdbuf", "-oL", "dpdk-testpmd", "--lcores", lcores, "-n", 4, "-m", 192, "--in-memory", "--no-telemetry", "--no-pci"]
        argv += ["--iova-mode=va", "--single-file-segments", f"--file-prefix={panel.prefix}guest"]
        argv += ["--huge-dir", huge_dir()]
        for number in (1, 2):
            argv.append(f"--vdev=virtio_user{number},queues=1,path={panel.socket(number)}")
        guest = Process("testpmd", [*argv, *after])
    panel.processes.append(guest)
    guest.wait_text("Press enter", limit=60)
    if in_container:
        guest.find()
    return guest


def guests(in_container):
    """vhost <-> vhost, 64 B, by a worker on the host; the guest at both is in a container or not."""

    @contextmanager
    def opened(bin_dir):
        worker, other = cpus()
        with ExitStack() as after, Panel(bin_dir) as panel:
            # EAL leaves a guest's runtime folder, in memory or not.
            after.callback(forget, f"{panel.prefix}guest")
            nfv = panel.nfv(1, worker)
            for command in ("add vhost:1", "add vhost:2", "patch vhost:1 vhost:2", "patch vhost:2 vhost:1"):
                nfv.control.ask(command)
            guest = _guest(panel, other, in_container)

            def measure(seconds):
                _where(guest, in_container)
                return measured(nfv, seconds)

            with session(panel.processes, measure) as made:
                yield made

    return opened
