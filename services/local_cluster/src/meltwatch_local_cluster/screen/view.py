"""The view of a run: observes it, shows it, and sums it up."""

import threading
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Final

from meltwatch_chassis.clock import Clock
from meltwatch_chassis.errors import DependencyUnreachable
from meltwatch_chassis.kafka.config import connection_arguments
from meltwatch_chassis.run_state import RunState
from meltwatch_chassis.settings import KafkaSettings, load
from meltwatch_simulator import scenario as simulation
from meltwatch_simulator.schedule import Fault
from rich.console import Console

from meltwatch_local_cluster.domain.observed_run import ObservedRun
from meltwatch_local_cluster.domain.summary import Measured, RunSummary, summarise
from meltwatch_local_cluster.ports import RunScenario
from meltwatch_local_cluster.screen.follow_metrics import COUNTERS, read_counters
from meltwatch_local_cluster.screen.observer import Observer, observer_of
from meltwatch_local_cluster.screen.presenters import (
    LinePresenter,
    PictureTaker,
    Presenter,
    ScreenPresenter,
    summary_table,
)
from meltwatch_local_cluster.screen.run_snapshot import RunSnapshot
from meltwatch_local_cluster.steps import say

_LOOK_MS: Final = 200
_TERMINAL_BACK_S: Final = 5.0
_SUM_UP_S: Final = 30.0
_COUNTED_SERVICE: Final = "stream_processor"


class RunWatch:
    """Watches a run from a thread of its own: implements ``RunView``.

    On a terminal it draws a screen, elsewhere it writes lines; at the end a summary.

    Parameters
    ----------
    environ
        How to log in to Kafka.
    console
        Where to show the run.
    clock
        For ages, pauses and the end of streaming.
    picture
        File for a picture of the screen (SVG), None for no picture.
    """

    def __init__(
        self, environ: Mapping[str, str], console: Console, clock: Clock, picture: Path | None
    ) -> None:
        self._environ = environ
        self._console = console
        self._clock = clock
        self._picture = PictureTaker(picture)
        self._watching: Future[None] = Future()
        self._streaming_ended = threading.Event()
        self._terminal_back = threading.Event()
        self._all_ended = threading.Event()
        self._ended_ns: int | None = None

    def start(self, state: RunState, scenario: RunScenario, health: Mapping[str, str]) -> None:
        """Begin to watch a run whose servers and services are up."""
        self._state = state
        self._scenario = scenario
        simulated = scenario.sources == "simulator"
        names = simulation.furnace_ids(scenario.furnaces) if simulated else ()
        self._run = ObservedRun(names, scenario.origin_ns)
        self._observer = self._observe(health[_COUNTED_SERVICE])
        # A daemon, so that this thread can never keep the launcher from ending.
        threading.Thread(target=self._watch_to_the_end, name="view", daemon=True).start()

    def services(self, state: RunState) -> None:
        """Show what changed in the state of the services."""
        self._state = state

    def stopping(self) -> None:
        """Give the terminal back: streaming ends now, and the pipeline drains."""
        self._ended_ns = self._clock.now_ns()
        self._streaming_ended.set()
        self._terminal_back.wait(_TERMINAL_BACK_S)

    def stop(self) -> RunSummary:
        """Take in the rest, print the summary and return it.

        Raises
        ------
        DependencyUnreachable
            If Kafka does not give the rest.
        """
        if self._ended_ns is None:
            self.stopping()
        self._all_ended.set()
        try:
            self._watching.result(_SUM_UP_S)
        except TimeoutError:
            raise DependencyUnreachable(
                f"no summary: expected the last scores and alarms from Kafka at "
                f"{self._state.kafka} within {_SUM_UP_S:.0f} s, got nothing"
            ) from None
        summary = self._summary()
        with suppress(OSError, SystemExit):  # Rich's answer to a closed pipe
            self._console.print(summary_table(summary))
        return summary

    def _observe(self, metrics_address: str) -> Observer:
        ours = {"MELTWATCH_KAFKA": self._state.kafka}
        connection = connection_arguments(load(KafkaSettings, {**self._environ, **ours}))
        return observer_of(
            connection,
            self._state.topic_prefix,
            self._run,
            lambda: read_counters(metrics_address),
            self._clock,
        )

    def _watch_to_the_end(self) -> None:
        try:
            self._watch()
        except BaseException as error:  # noqa: BLE001 - raised again where the result is asked for
            self._watching.set_exception(error)
        else:
            self._watching.set_result(None)

    def _watch(self) -> None:
        try:
            with self._presenter() as presenter:
                self._show(presenter)
        except OSError as error:
            say(f"expected to show the run, got {error}; it goes on unseen")
        finally:
            self._terminal_back.set()
        while not self._all_ended.is_set():
            self._observer.look(_LOOK_MS)
        self._observer.catch_up()
        self._observer.close()

    def _show(self, presenter: Presenter) -> None:
        snapshot = self._snapshot()
        while not self._streaming_ended.is_set():
            changed = self._observer.look(_LOOK_MS)
            snapshot = self._snapshot()
            presenter.show(snapshot, changed)
            self._picture.consider(snapshot)
        self._picture.finish(snapshot)

    def _presenter(self) -> Presenter:
        if self._console.is_terminal:
            return ScreenPresenter(self._console)
        return LinePresenter(self._console.file)

    def _snapshot(self) -> RunSnapshot:
        return RunSnapshot(
            state=self._state,
            scenario=self._scenario,
            run=self._run,
            counters=self._counters() | {"unreadable": self._observer.unreadable},
            now_ns=self._clock.now_ns(),
            problem=self._observer.problem,
            irregularities=self._observer.irregularities(),
        )

    def _counters(self) -> dict[str, int]:
        return {name: self._observer.counters.total(name) for name in COUNTERS}

    def _summary(self) -> RunSummary:
        ended_ns = self._ended_ns or self._clock.now_ns()
        measured = Measured(ended_ns=ended_ns, **self._counters())
        return summarise(self._run, self._truth(ended_ns), measured, self._seed)

    def _truth(self, ended_ns: int) -> tuple[Fault, ...]:
        scenario = self._scenario
        if not self._run.simulated:
            return ()
        truth = simulation.Scenario(
            scenario.seed, self._run.simulated, scenario.origin_ns, scenario.duration_s
        )
        return tuple(fault for fault in truth.faults(ended_ns) if fault.start_ns < ended_ns)

    @property
    def _seed(self) -> int | None:
        return self._scenario.seed if self._run.simulated else None
