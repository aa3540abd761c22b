"""Where commands find the servers: in the environment, else in the run of this folder."""

from collections.abc import Mapping
from pathlib import Path

from meltwatch_chassis.errors import DependencyUnreachable
from meltwatch_chassis.run_state import RunState, read_state, state_dir
from meltwatch_chassis.settings import PREFIX, AnySettings, load


class NothingRuns(DependencyUnreachable):
    """No run was found and no address was given: exit code 3."""


def current_run(environ: Mapping[str, str]) -> RunState:
    """Return the run whose state lies in the state folder.

    Raises
    ------
    NothingRuns
        If nothing runs there.
    """
    folder = state_dir(environ)
    run = read_state(folder)
    if run is None:
        raise NothingRuns(
            f"expected a run with its state in {_shown(folder)}, found none; "
            "start one with 'meltwatch run'"
        )
    return run


def _shown(folder: Path) -> Path:
    try:
        return folder.absolute()
    except OSError:
        return folder  # relative to a working folder that is gone


def located(
    settings_class: type[AnySettings], environ: Mapping[str, str], *needs: str
) -> AnySettings:
    """Return settings with the addresses that a command needs.

    Parameters
    ----------
    settings_class
        What the command can be told by environment.
    environ
        The process's environment.
    needs
        Of ``kafka``, ``redis`` and ``triton``, those that the command talks to. With all of them
        in the environment no run is looked for; else the run gives what is missing, topic prefix
        included.

    Raises
    ------
    ConfigurationError
        If a ``MELTWATCH_*`` variable is unknown or wrong.
    NothingRuns
        If an address is missing and nothing runs.
    """
    given = load(settings_class, environ)
    if given.model_fields_set.issuperset(needs):
        return given
    try:
        run = current_run(environ)
    except NothingRuns as error:
        names = " and ".join(PREFIX + need.upper() for need in needs)
        raise NothingRuns(f"{error}, or set {names}") from None
    of_run = RunState.model_fields.keys() & settings_class.model_fields.keys()
    missing = of_run - given.model_fields_set
    return given.model_copy(update={name: getattr(run, name) for name in missing})
