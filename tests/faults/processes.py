"""The company as real processes, started again when they end, as Kubernetes would; only these are ever ended.

Each life of a process has a name of its own (`task-1.3` is the third life of `task-1`), which it shows to the model's
service as its API key.
"""

import asyncio
import ctypes
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.evidence import Cause, Death
from tests.faults.model_api import KEY_PREFIX

from aicompany_desk.cli.exit_codes import REFUSED_FOR_NOW

PROGRAM = str(Path(sys.executable).with_name("aicompany"))
_RESTART_SECONDS = (0.2, 4.0)
"""Before a process is started again; doubled from the first to the second while it cannot begin."""
_STOP_SECONDS_MAX = 60.0
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Seat:
    """A process that should always be there."""

    name: str
    role: str
    arguments: tuple[str, ...]
    """Of `aicompany`."""
    has_own_clock: bool = False
    """Whether its clock can be made to jump; needs libfaketime."""


@dataclass(slots=True)
class _Life:
    """One process from its start to its end."""

    name: str
    process: asyncio.subprocess.Process
    told: signal.Signals | None = None
    told_at: float = 0.0
    started_at: float = field(default_factory=time.monotonic)


def faketime_library() -> Path | None:
    """Where libfaketime is, for processes with threads; `None` when the package is not installed."""
    return next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)


class Fleet:
    """All processes of a company. `run` keeps them there until cancelled, then ends them."""

    def __init__(
        self, seats: Sequence[Seat], *, environment: Mapping[str, str], place: Path, drain_seconds: float
    ) -> None:
        self.seats = tuple(seats)
        self.deaths: list[Death] = []
        self._environment = environment
        self._place = place
        self._drain_seconds = drain_seconds
        self._lives: dict[str, _Life] = {}
        self._ending = False

    async def run(self) -> None:
        """Start all, start again what ends."""
        self._place.mkdir(parents=True, exist_ok=True)
        try:
            async with asyncio.TaskGroup() as keepers:
                for seat in self.seats:
                    keepers.create_task(self._keep(seat))
        finally:
            for life in self._lives.values():
                with suppress(ProcessLookupError):
                    life.process.kill()

    async def stop(self) -> None:
        """SIGTERM to all, and wait; whoever does not go is killed and noted."""
        self._ending = True
        async with asyncio.TaskGroup() as stops:
            for seat in self.seats:
                stops.create_task(self._stop(seat.name))

    def seats_of(self, role: str) -> list[Seat]:
        """Processes of a role."""
        return [seat for seat in self.seats if seat.role == role]

    def kill(self, seat: Seat) -> None:
        """SIGKILL."""
        self._tell(seat.name, signal.SIGKILL)

    async def terminate(self, seat: Seat) -> None:
        """SIGTERM, and wait for its end."""
        await self._stop(seat.name)

    def set_clock(self, seat: Seat, offset_seconds: int) -> None:
        """Let the clock of its process jump; the monotonic clock goes on as it was."""
        part = self._clock_of(seat).with_suffix(".part")
        part.write_text(f"{offset_seconds:+d}\n")
        part.replace(self._clock_of(seat))

    async def _keep(self, seat: Seat) -> None:
        number, pause_seconds = 0, _RESTART_SECONDS[0]
        while not self._ending:
            number += 1
            life = _Life(f"{seat.name}.{number}", await self._start(seat, f"{seat.name}.{number}"))
            self._lives[seat.name] = life
            if self._ending:
                self._tell(seat.name, signal.SIGKILL)
            code = await life.process.wait()
            self.deaths.append(death := self._death_of(life, code))
            again = death.cause is Cause.NOT_BEGUN
            pause_seconds = min(2 * pause_seconds, _RESTART_SECONDS[1]) if again else _RESTART_SECONDS[0]
            await asyncio.sleep(pause_seconds)

    async def _start(self, seat: Seat, life: str) -> asyncio.subprocess.Process:
        environment = {**os.environ, **self._environment, "ANTHROPIC_API_KEY": f"{KEY_PREFIX}{life}"}
        library = faketime_library()
        if seat.has_own_clock and library is not None:
            if not self._clock_of(seat).exists():
                self.set_clock(seat, 0)
            environment |= {
                "LD_PRELOAD": str(library),
                "FAKETIME_TIMESTAMP_FILE": str(self._clock_of(seat)),
                "FAKETIME_CACHE_DURATION": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "DONT_FAKE_MONOTONIC": "1",
                "FAKETIME_DISABLE_SHM": "1",
            }
        with self._log_of(seat.name).open("ab") as log:
            log.write(f"--- {life}\n".encode())
            log.flush()
            return await asyncio.create_subprocess_exec(
                PROGRAM, *seat.arguments, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                env=environment, preexec_fn=_die_with_parent,
            )  # fmt: skip

    def _tell(self, name: str, number: signal.Signals) -> _Life | None:
        life = self._lives.get(name)
        if life is None or life.process.returncode is not None or life.told in {number, signal.SIGKILL}:
            return None
        life.told, life.told_at = number, time.monotonic()
        with suppress(ProcessLookupError):
            life.process.send_signal(number)
        return life

    async def _stop(self, name: str) -> None:
        life = self._tell(name, signal.SIGTERM)
        if life is None:
            return
        try:
            async with asyncio.timeout(_STOP_SECONDS_MAX):
                await life.process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                life.process.kill()
            await life.process.wait()

    def _death_of(self, life: _Life, code: int) -> Death:
        gone = time.monotonic()
        match life.told:
            case signal.SIGKILL:
                return Death(life.name, life.told_at, gone, Cause.KILLED)
            case signal.SIGTERM if code == -signal.SIGTERM:
                # It was told before it listened.
                return Death(life.name, life.told_at, gone, Cause.KILLED)
            case signal.SIGTERM if code == 0:
                overdue = gone - life.told_at >= self._drain_seconds
                at = life.told_at + self._drain_seconds if overdue else gone
                return Death(life.name, at, gone, Cause.OVERDUE if overdue else Cause.STOPPED)
            case signal.SIGTERM if code == -signal.SIGKILL:
                words = f"it did not end within {_STOP_SECONDS_MAX:g} s of SIGTERM"
            case _:
                words = f"exit code {code} after {gone - life.started_at:.1f} s"
        said = (
            self._log_of(life.name.rpartition(".")[0]).read_text(errors="replace").rpartition(f"--- {life.name}\n")[2]
        )
        if code == REFUSED_FOR_NOW and ".started" not in said:
            return Death(life.name, gone, gone, Cause.NOT_BEGUN)
        return Death(life.name, gone, gone, Cause.BY_ITSELF, f"{words}; {said[-600:]}")

    def _log_of(self, name: str) -> Path:
        return self._place / f"{name}.log"

    def _clock_of(self, seat: Seat) -> Path:
        return self._place / f"{seat.name}.clock"


def _die_with_parent() -> None:
    """In the child: it is ended by the kernel when the checker is, whatever ends that."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
