"""Where commands find a broker and Redis: in the environment, else in the run of this folder."""

from collections.abc import Mapping

from meltwatch_chassis.run_state import RunState, read_state, state_dir
from meltwatch_chassis.settings import KafkaSettings, RedisSettings, load

from meltwatch_cli.errors import NothingRuns


class Settings(KafkaSettings, RedisSettings):
    """What the command line can be told by environment."""


def current_run(environ: Mapping[str, str]) -> RunState:
    """Return the run whose state lies in the state folder.

    Raises
    ------
    ConfigurationError
        If the environment holds a ``MELTWATCH_*`` variable that is unknown or wrong.
    NothingRuns
        If nothing runs there.
    """
    load(Settings, environ)
    folder = state_dir(environ)
    run = read_state(folder)
    if run is None:
        raise NothingRuns(
            f"expected a run with its state in {folder.resolve()}, found none; "
            "start one with 'meltwatch run'"
        )
    return run


def located(environ: Mapping[str, str], *needs: str) -> Settings:
    """Return settings with the addresses that a command needs.

    Parameters
    ----------
    environ
        The process's environment.
    needs
        Of ``kafka`` and ``redis``, those that the command talks to. With all of them in the
        environment no run is looked for; else the run gives what is missing, topic prefix
        included.

    Raises
    ------
    ConfigurationError
        If a ``MELTWATCH_*`` variable is unknown or wrong.
    NothingRuns
        If an address is missing and nothing runs.
    """
    given = load(Settings, environ)
    if given.model_fields_set.issuperset(needs):
        return given
    try:
        run = current_run(environ)
    except NothingRuns as error:
        names = " and ".join(f"MELTWATCH_{need.upper()}" for need in needs)
        raise NothingRuns(f"{error}, or set {names}") from None
    found = {"kafka": run.kafka, "redis": run.redis, "topic_prefix": run.topic_prefix}
    missing = {name: found[name] for name in found.keys() - given.model_fields_set}
    return given.model_copy(update=missing)
