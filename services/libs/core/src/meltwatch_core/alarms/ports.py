"""The values that cross the border of the alarm manager's rules."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from meltwatch_schemas.topics import Topic

from meltwatch_core.alarms.authorship import Range
from meltwatch_core.alarms.caution import Suspect


class Place(NamedTuple):
    """A partition of a topic."""

    topic: Topic
    partition: int


@dataclass(frozen=True, slots=True)
class Commit:
    """How far a partition is done.

    Attributes
    ----------
    offset
        Where to read from after a restart.
    position
        Everything below it has been judged; at least ``offset``.
    epoch
        Generation of the manager that says so.
    suspect
        The records that were to be judged next, where such are named.
    set_aside
        Records from ``offset`` on that ended the manager and were set aside: never judged again.
    own
        For a topic that the manager alone writes: its records from ``position`` on.
    """

    offset: int
    position: int
    epoch: int
    suspect: Suspect | None = None
    set_aside: tuple[int, ...] = ()
    own: tuple[Range, ...] = ()


Written = Iterable[tuple[Place, int]]
"""Where each record of a transaction stands, in order: partition and offset."""

Trial = Callable[[Callable[[], object]], bool]
"""Carries something out where it changes nothing; False if it ends whoever does it."""


def no_trial(_: Callable[[], object]) -> bool:
    """Take anything for harmless: where the manager's life is no matter, as in a replay."""
    return True
