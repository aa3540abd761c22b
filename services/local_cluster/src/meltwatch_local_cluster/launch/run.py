"""One run from start to verdict: servers, topics, services, view, and back down again."""

import platform
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

from meltwatch_chassis.clock import Clock
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.kafka.admin import create_topics
from meltwatch_chassis.kafka.config import connection_arguments
from meltwatch_chassis.settings import KafkaSettings, load
from meltwatch_chassis.whole_file import write_whole
from meltwatch_schemas.topics import Topic, catalogue

from meltwatch_local_cluster.launch.cluster import LOG_FOLDER, Cluster
from meltwatch_local_cluster.launch.drain import wait_until_quiet
from meltwatch_local_cluster.launch.interrupts import Interrupts
from meltwatch_local_cluster.launch.leftovers import (
    DATA_FOLDER,
    ProcessRecord,
    clear_leftovers,
    remove_run_files,
)
from meltwatch_local_cluster.launch.notify import SERVICE as NOTIFY_GATEWAY
from meltwatch_local_cluster.launch.notify import check_notify, notify_environment
from meltwatch_local_cluster.launch.opcua import SERVICE as SCADA_ADAPTER
from meltwatch_local_cluster.launch.opcua import check_installed, prepare_opcua
from meltwatch_local_cluster.launch.plans import (
    CONSOLE,
    CONSOLE_ADDRESS,
    PIPELINE,
    PRODUCERS,
    SOURCE_PRODUCER,
    check_live_installed,
    console_environment,
    live_environment,
    service_plans,
    write_plant_file,
)
from meltwatch_local_cluster.launch.run_options import RunOptions
from meltwatch_local_cluster.launch.service import Service, Supervisor
from meltwatch_local_cluster.launch.state_folder import StateNote, owned, rotate_logs
from meltwatch_local_cluster.ports import RunScenario, RunSources, RunView, Summary
from meltwatch_local_cluster.settings import Settings
from meltwatch_local_cluster.steps import say, step

_POLL_S = 0.5
_PLANT_FILE = "MELTWATCH_PLANT_FILE"
_SECOND_NS = 1_000_000_000
# The scenario begins when everything is up: what happens before is back-fill.
_START_ALLOWANCE_NS = 8 * _SECOND_NS
_WRITTEN_BY_THE_PIPELINE = (Topic.SCORES, Topic.ALARMS, Topic.DEAD_LETTERS)
_OLDEST_GLIBC = (2, 35)


def run_locally(
    options: RunOptions, environ: Mapping[str, str], view: RunView, clock: Clock
) -> int:
    """Run everything on this machine until the duration is over or a signal comes.

    Parameters
    ----------
    options
        From the command line.
    environ
        Environment variables.
    view
        Shows the run and sums it up.
    clock
        For the start of the stream and pauses.

    Returns
    -------
    0, or 1 when the run's own verdict is bad.

    Raises
    ------
    FatalError
        With the exit code for a wrong setting (2), an unreachable dependency (3), a service that
        does not start (1).
    """
    settings = load(Settings, environ)
    furnaces = options.furnace_ids()
    check_platform()
    _check_summary_file(options.summary)
    if options.opcua:
        check_installed()
    if options.plant is not None:
        check_live_installed()
    if options.notify is not None:
        check_notify(options.notify)
    with owned(settings.state_dir) as folder, Interrupts() as interrupts:
        try:
            if cleared := clear_leftovers(folder):
                say(cleared)
            shutil.rmtree(folder / LOG_FOLDER, ignore_errors=True)
            cluster = Cluster(settings, environ, folder)
            if options.plant is not None:
                cluster.environ[_PLANT_FILE] = str(options.plant.absolute())
            _register(furnaces, options.sources, cluster)
            run = _Run(options, cluster, settings.topic_prefix, interrupts, clock)
            problems = run.run_cluster(view)
        except KeyboardInterrupt:
            say("stopped before everything was up")
            return 0
    for problem in problems:
        say(problem)
    return 1 if problems else 0


class _Run:
    """One run between its start and its end."""

    def __init__(
        self,
        options: RunOptions,
        cluster: Cluster,
        prefix: str,
        interrupts: Interrupts,
        clock: Clock,
    ) -> None:
        self._options = options
        self._cluster = cluster
        self._prefix = prefix
        self._interrupts = interrupts
        self._clock = clock
        self._folder = cluster.folder
        self._record = ProcessRecord(self._folder)
        self._supervisors: list[Supervisor] = []
        self._state = StateNote(self._folder, cluster.shown_addresses, prefix)
        self._state.groups.append(cluster)

    def run_cluster(self, view: RunView) -> list[str]:
        """Run, and give the reasons why the run was bad."""
        with ExitStack() as downwards:
            downwards.callback(remove_run_files, self._folder)
            downwards.callback(self._cluster.stop)
            downwards.callback(self._interrupts.ignore)
            self._state.write()
            self._cluster.start(self._record, self._interrupts)
            with step("creating topics"):
                create_topics(self._kafka(), catalogue(self._prefix))
            scenario = self._scenario()
            # First, so that the back-fill of both topics is there when reading starts: the merge
            # by event time then makes the first windows whole.
            producers = downwards.enter_context(self._producing(scenario))
            pipeline = downwards.enter_context(self._supervised(PIPELINE))
            seen = {**producers.health_addresses, **pipeline.health_addresses}
            downwards.enter_context(self._console(seen))
            if self._options.opcua:
                downwards.enter_context(self._opcua())
            if self._options.notify is not None:
                told = notify_environment(self._options.notify)
                downwards.enter_context(self._supervised((NOTIFY_GATEWAY,), told=told))
            summary = self._show(view, scenario, pipeline, producers)
            dead_servers = self._cluster.problems()
        return [*self._problems(summary), *dead_servers]

    def _show(
        self, view: RunView, scenario: RunScenario, pipeline: Supervisor, producers: Supervisor
    ) -> Summary | None:
        """Show the run until its end, then stop it from the producers on."""
        self._state.is_complete = True
        health = {**pipeline.health_addresses, **producers.health_addresses}
        self._interrupts.hold()
        view.start(self._state.write(), scenario, health)
        try:
            with suppress(KeyboardInterrupt):
                self._interrupts.release()
                self._stay(view, scenario)
        finally:
            self._interrupts.ignore()
            view.stopping()
            producers.stop()
            if scenario.sources is not RunSources.NONE:
                results = [topic.under(self._prefix) for topic in _WRITTEN_BY_THE_PIPELINE]
                wait_until_quiet(self._kafka(), results)
            pipeline.stop()
            summary = view.stop()
        return summary

    def _kafka(self) -> dict[str, Any]:
        return connection_arguments(load(KafkaSettings, self._cluster.environ))

    def _scenario(self) -> RunScenario:
        return RunScenario(
            sources=self._options.sources,
            furnaces=self._options.furnaces,
            seed=self._options.seed,
            duration_s=self._options.duration_s,
            origin_ns=self._clock.now_ns() + _START_ALLOWANCE_NS,
            recording=self._options.recording,
        )

    def _producing(self, scenario: RunScenario) -> AbstractContextManager[Supervisor]:
        if scenario.sources is RunSources.PLANT:
            told = live_environment(self._folder / DATA_FOLDER / "spool")
            return self._supervised((SOURCE_PRODUCER,), told=told)
        return self._supervised(() if scenario.sources is RunSources.NONE else PRODUCERS, scenario)

    @contextmanager
    def _console(self, services: Mapping[str, str]) -> Iterator[None]:
        """Start the web page, which looks at services, too; nothing of the run waits for it."""
        told = console_environment(self._cluster.environ, services)
        with self._supervised((CONSOLE,), told=told, is_waited_for=False):
            self._state.console = f"http://{told[CONSOLE_ADDRESS]}/"
            say(f"console: {self._state.console}")
            yield

    @contextmanager
    def _opcua(self) -> Iterator[None]:
        demo = prepare_opcua(self._cluster.environ, self._folder / DATA_FOLDER / "opcua")
        with self._supervised((SCADA_ADAPTER,), told=demo.environment):
            say(demo.invitation)
            yield

    @contextmanager
    def _supervised(
        self,
        names: tuple[str, ...],
        scenario: RunScenario | None = None,
        told: Mapping[str, str] = MappingProxyType({}),
        *,
        is_waited_for: bool = True,
    ) -> Iterator[Supervisor]:
        """Keep services running while the block lasts; they end with it, also after an error."""
        logs = self._folder / LOG_FOLDER
        plans = service_plans(names, {**self._cluster.environ, **told}, logs, scenario)
        group = Supervisor([Service(plan, self._clock, self._record.add_process) for plan in plans])
        self._supervisors.append(group)
        self._state.groups.append(group)
        try:
            if names:
                with step(f"starting {', '.join(names)}"):
                    with self._interrupts.held():
                        group.start()
                    if is_waited_for:
                        group.wait_ready(self._state.write)
            yield group
        finally:
            group.stop()

    def _stay(self, view: RunView, scenario: RunScenario) -> None:
        shown = None
        while scenario.duration_s is None or self._streamed_s(scenario) < scenario.duration_s:
            time.sleep(_POLL_S)
            for group in self._supervisors:
                group.watch()
            rotate_logs(self._folder / LOG_FOLDER)
            if (state := self._state.write()) != shown:
                view.services(state)
                shown = state

    def _streamed_s(self, scenario: RunScenario) -> float:
        return (self._clock.now_ns() - scenario.origin_ns) / _SECOND_NS

    def _problems(self, summary: Summary | None) -> list[str]:
        died = [problem for group in self._supervisors for problem in group.problems()]
        if summary is None:
            return died
        if self._options.summary is not None:
            _write_summary(self._options.summary, summary.to_json())
        return [*summary.problems(), *died]


def _register(furnaces: Sequence[str], sources: RunSources, cluster: Cluster) -> None:
    """Give the services a plant file with the demo's furnaces, unless the user has one."""
    if furnaces and _PLANT_FILE not in cluster.environ:
        file = (cluster.folder / DATA_FOLDER / "plant.yaml").absolute()
        notes = "simulated" if sources is RunSources.SIMULATOR else "recorded"
        cluster.environ[_PLANT_FILE] = str(write_plant_file(file, furnaces, notes))


def _check_summary_file(file: Path | None) -> None:
    if file is not None and not file.absolute().parent.is_dir():
        raise ConfigurationError(
            f"--summary: expected a file in an existing folder, got {file}; make the folder first"
        )


def _write_summary(file: Path, text: str) -> None:
    try:
        write_whole(file, text)
    except OSError as error:
        raise ConfigurationError(f"--summary: expected to write {file}, got {error}") from error


def check_platform() -> None:
    """Refuse a machine that Triton's wheel does not run on.

    Raises
    ------
    ConfigurationError
        On anything but Linux, x86-64, glibc 2.35 or newer.
    """
    library, version = platform.libc_ver()
    found = f"{sys.platform} {platform.machine()} {library} {version}".strip()
    glibc = tuple(int(part) for part in version.split(".") if part.isdigit())
    fits = sys.platform == "linux" and platform.machine() == "x86_64" and library == "glibc"
    if not fits or glibc < _OLDEST_GLIBC:
        raise ConfigurationError(
            f"local run: expected Linux on x86-64 with glibc 2.35 or newer, found {found}; "
            "use the laptop overlay in k8s/overlays/laptop on a cluster instead"
        )
