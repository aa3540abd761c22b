"""What a run asks of the view in the foreground, which watches and judges it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from meltwatch_chassis.run_state import RunState


class RunSources(StrEnum):
    """Where frames and currents come from; with ``none`` the user sends them."""

    SIMULATOR = "simulator"
    RECORDING = "recording"
    PLANT = "plant"
    NONE = "none"


@dataclass(frozen=True)
class RunScenario:
    """What a run streams.

    Attributes
    ----------
    sources
        Where frames and currents come from.
    furnaces
        How many the simulator has.
    seed
        Of the simulator.
    duration_s
        Seconds of streaming, None without an end.
    origin_ns
        Event time at which it begins, ns UTC.
    recording
        Folder of the recordings, where they are the source.
    """

    sources: RunSources
    furnaces: int
    seed: int
    duration_s: float | None
    origin_ns: int
    recording: Path | None = None


class Summary(Protocol):
    """The result of a run."""

    def problems(self) -> list[str]:
        """Say why the run is bad, one line each: a missed fault, a false alarm; empty when good."""
        ...

    def to_json(self) -> str:
        """Give the summary file's text."""
        ...


class RunView(Protocol):
    """Shows a run while it lasts; every call comes from one thread and returns at once."""

    def start(self, state: RunState, scenario: RunScenario, health: Mapping[str, str]) -> None:
        """Begin to show a run whose servers and services are up.

        Parameters
        ----------
        state
            Addresses and services.
        scenario
            What is streamed.
        health
            Address of each service's ``/metrics``, ``host:port`` by name.
        """
        ...

    def services(self, state: RunState) -> None:
        """Show what changed in the state of the services."""
        ...

    def stopping(self) -> None:
        """Give the terminal back: streaming ends now, and the pipeline will drain."""
        ...

    def stop(self) -> Summary | None:
        """End, and return the summary of what was seen.

        The producers have ended and the pipeline has drained, but Kafka and Redis still answer.
        """
        ...
