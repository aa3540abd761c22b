"""What a run tells others about itself, kept up to date in its state folder."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import psutil
from meltwatch_chassis.run_state import RunState, ServiceState, write_state

from meltwatch_local_cluster.steps import say


class Group(Protocol):
    """Processes that the note tells of."""

    @property
    def states(self) -> Mapping[str, ServiceState]:
        """State of each by name."""
        ...


_WELL = frozenset({"ready", "stopped"})


class StateNote:
    """The state file of a run.

    Parameters
    ----------
    folder
        The run's state folder.
    addresses
        Of ``kafka``, ``redis`` and ``triton``, without passwords.
    prefix
        First part of topics and Redis keys.

    Attributes
    ----------
    groups
        The servers and services that the file tells of; append as they come.
    is_complete
        Whether all groups have come: before, the run is not ready whatever its services say.
    """

    def __init__(self, folder: Path, addresses: Mapping[str, str], prefix: str) -> None:
        self.groups: list[Group] = []
        self.is_complete = False
        self._folder = folder
        self._addresses = addresses
        self._prefix = prefix
        self._launcher = psutil.Process(os.getpid())
        self._written: RunState | None = None
        self._is_told = False

    def write(self) -> RunState:
        """Write the state as it is now where it has changed, and give it.

        A disk that is full is told of once, and tried again at the next call: the run goes on.
        """
        services = {name: state for group in self.groups for name, state in group.states.items()}
        state = RunState(
            kafka=self._addresses["kafka"],
            redis=self._addresses["redis"],
            triton=self._addresses["triton"],
            topic_prefix=self._prefix,
            ready=self.is_complete and all(each.state in _WELL for each in services.values()),
            services=services,
            launcher_pid=self._launcher.pid,
            launcher_started=self._launcher.create_time(),
        )
        if state != self._written:
            self._try_to_write(state)
        return state

    def _try_to_write(self, state: RunState) -> None:
        try:
            write_state(self._folder, state)
        except OSError as error:
            if not self._is_told:
                say(f"expected to write {self._folder}, got {error}; 'meltwatch status' is old now")
            self._is_told = True
        else:
            self._written = state
            self._is_told = False
