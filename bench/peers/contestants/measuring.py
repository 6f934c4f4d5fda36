"""What every contestant counts with: from the first handled task to the last, then it writes its figures and ends."""

import json
import os
import threading
import time

import psutil

URL = os.environ["RACE_URL"]
QUEUE = os.environ["RACE_QUEUE"]
COUNT = int(os.environ["RACE_COUNT"])
IN_FLIGHT = int(os.environ["RACE_IN_FLIGHT"])
MODEL_URL = os.environ.get("RACE_MODEL_URL")
BODY = {"number": 0, "text": "x" * 200}
PROMPT = "Say hello"


def _peak_bytes() -> int:
    """The most memory this program had; `ru_maxrss` would count what its parent had before it started."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


class Meter:
    """Thread-safe; `done` is called once for each handled task."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._handled = 0
        self._started = 0.0
        self._cpu = 0.0
        self._process = psutil.Process()

    def begin(self) -> None:
        """Called when a task begins; the first one starts the clock."""
        if not self._started:
            with self._lock:
                if not self._started:
                    self._cpu = sum(self._process.cpu_times()[:2])
                    self._started = time.perf_counter()

    def done(self) -> None:
        """Called when a task is done; after the last one the figures are written."""
        with self._lock:
            self._handled += 1
            if self._handled == COUNT:
                self._write()

    def _write(self) -> None:
        seconds = time.perf_counter() - self._started
        cpu = sum(self._process.cpu_times()[:2]) - self._cpu
        figures = {
            "per_second": COUNT / seconds,
            "cpu_ms": cpu / COUNT * 1000,
            "rss_mb": _peak_bytes() / 1e6,
        }
        part = os.environ["RACE_FIGURES"] + ".part"
        with open(part, "w") as file:
            json.dump(figures, file)
        os.replace(part, os.environ["RACE_FIGURES"])
