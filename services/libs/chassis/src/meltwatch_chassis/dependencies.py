"""Whether a process's dependencies answer: for ``/readyz``, a metric, a log line per change.

A *source* finds out: a probe that asks every few seconds, a delivery that waits, an attempt that
fails. A dependency is up while no source reports a problem with it.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Self

import structlog
from meltwatch_schemas.text import escaped
from meltwatch_schemas.window import NS_PER_S

from meltwatch_chassis.clock import Clock
from meltwatch_chassis.errors import TransientError
from meltwatch_chassis.loop_thread import LoopThread
from meltwatch_chassis.metrics import Metrics
from meltwatch_chassis.tasks import heeded

Probe = Callable[[], Awaitable[None]]
"""Asks a dependency over a connection of its own; raises ``TransientError`` with one line."""

KAFKA: Final = "kafka"
REDIS: Final = "redis"
TRITON: Final = "triton"
"""What logs and metrics call them."""

ANSWER_S: Final = 6.0
"""Longest wait for an answer to a probe."""
_PAUSE_S: Final = 3.0
_PROBE: Final = "probe"
_LONGEST_LINE: Final = 500
_log = structlog.get_logger()


class Dependencies:
    """What each source says of each dependency; thread-safe.

    Parameters
    ----------
    metrics
        ``meltwatch_dependency_up`` shows it.
    clock
        Monotonic time.
    """

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._up = metrics.dependency_up
        self._clock = clock
        self._lock = threading.Lock()
        self._problems: dict[str, dict[str, str]] = {}
        self._lost_ns: dict[str, int] = {}
        self._well_ns = clock.monotonic_ns()

    def expect(self, dependency: str) -> None:
        """Report a dependency as missing until a probe has had its answer."""
        with self._lock:
            self._problems.setdefault(dependency, {})[_PROBE] = "no answer yet"
            self._up.labels(dependency).set(0)

    def tell(self, dependency: str, source: str, problem: str | None) -> None:
        """Take what a source reports of a dependency: one line with the problem, or None."""
        with self._lock:
            problems = self._problems.setdefault(dependency, {})
            if problem is None:
                problems.pop(source, None)
            else:
                problems[source] = escaped(" ".join(problem.split()))[:_LONGEST_LINE]
            self._up.labels(dependency).set(not problems)
            if problem is not None and dependency not in self._lost_ns:
                self._lost_ns[dependency] = self._clock.monotonic_ns()
                _log.warning("dependency_lost", dependency=dependency, error=problems[source])
            elif not problems:
                self._well_again(dependency)

    def forget(self, dependency: str) -> None:
        """Stop watching a dependency."""
        with self._lock:
            if self._problems.pop(dependency, None) is not None:
                self._up.remove(dependency)

    def _well_again(self, dependency: str) -> None:
        now_ns = self._clock.monotonic_ns()
        lost_ns = self._lost_ns.pop(dependency, None)
        if lost_ns is not None:
            self._well_ns = now_ns
            after_s = round((now_ns - lost_ns) / NS_PER_S, 1)
            _log.info("dependency_recovered", dependency=dependency, after_s=after_s)

    def problem(self) -> str | None:
        """Return one line that names what does not answer and why; None if all answer."""
        with self._lock:
            lines = [
                f"{dependency.capitalize()}: {', '.join(dict.fromkeys(problems.values()))}"
                for dependency, problems in self._problems.items()
                if problems
            ]
        return "; ".join(lines) or None

    def well_since_ns(self) -> int:
        """Return since when all answer, monotonic; the present if one does not.

        A standstill before that is not the process's fault.
        """
        return self._clock.monotonic_ns() if self.problem() else self._well_ns


class DependencyWatch:
    """Asks each dependency again and again, in a thread that waits for nothing else.

    Parameters
    ----------
    dependencies
        Told what each probe finds.
    probes
        How to ask, by dependency.
    """

    def __init__(self, dependencies: Dependencies, probes: Mapping[str, Probe]) -> None:
        self._dependencies = dependencies
        self._probes = probes
        self._thread = LoopThread("dependencies", self._ask_all)
        for dependency in probes:
            dependencies.expect(dependency)

    def __enter__(self) -> Self:
        self._thread.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.__exit__()

    async def _ask_all(self) -> None:
        async with asyncio.TaskGroup() as group:
            for dependency, probe in self._probes.items():
                group.create_task(keep_asking(self._dependencies, dependency, probe))


async def keep_asking(dependencies: Dependencies, dependency: str, probe: Probe) -> None:
    """Ask one dependency until cancelled, and report what is found."""
    while True:
        dependencies.tell(dependency, _PROBE, await heeded(found_by(probe)))
        await asyncio.sleep(_PAUSE_S)


async def found_by(probe: Probe) -> str | None:
    """Return what a probe finds within its time: one line, or None."""
    try:
        async with asyncio.timeout(ANSWER_S):
            await probe()
    except TimeoutError:
        return f"no answer within {ANSWER_S:.0f} s"
    except TransientError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - whatever it is, this dependency does not serve us
        return repr(error)
    return None
