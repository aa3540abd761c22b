"""Where commands find a broker and Redis: in the environment, else in the run of this folder."""

from collections.abc import Mapping

from meltwatch_chassis import located as chassis
from meltwatch_chassis.run_state import RunState
from meltwatch_chassis.settings import KafkaSettings, RedisSettings, load


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
    return chassis.current_run(environ)


def located(environ: Mapping[str, str], *needs: str) -> Settings:
    """Return settings with the addresses that a command needs; see ``meltwatch_chassis.located``.

    Raises
    ------
    ConfigurationError
        If a ``MELTWATCH_*`` variable is unknown or wrong.
    NothingRuns
        If an address is missing and nothing runs.
    """
    return chassis.located(Settings, environ, *needs)
