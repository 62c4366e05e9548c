"""A side of a comparison, set up once and frozen while it is not its turn."""

import signal
import time
from contextlib import contextmanager


class Session:
    """The processes of one side, and `measure(seconds)`, which gives the figures of one slice."""

    def __init__(self, processes, measure):
        self.processes, self.measure = processes, measure
        self.freeze()

    def _tell(self, number):
        for process in self.processes:
            if process.alive():
                process.popen.send_signal(number)

    def freeze(self):
        self._tell(signal.SIGSTOP)

    def thaw(self):
        self._tell(signal.SIGCONT)

    def slice(self, seconds):
        """Lets it run for `seconds` and a little more; gives its figures."""
        self.thaw()
        try:
            return self.measure(seconds)
        finally:
            self.freeze()


@contextmanager
def session(processes, measure):
    """A session that is thawed before its processes are ended."""
    made = Session(processes, measure)
    try:
        yield made
    finally:
        made.thaw()


def alone(run):
    """A side that sets everything up anew for each slice: `run(bin_dir, seconds)` gives the figures."""

    @contextmanager
    def opened(bin_dir):
        yield Session([], lambda seconds: run(bin_dir, seconds))

    return opened


def warm_up(seconds=0.1):
    """For queues and pipes to fill, and caches, before figures count."""
    time.sleep(seconds)
