"""The furnaces that the console shows, each under a number that stays while it runs."""

from collections.abc import Iterable
from dataclasses import dataclass

from meltwatch_schemas.identifiers import is_path


@dataclass(frozen=True, slots=True)
class RosterEntry:
    """One furnace.

    Attributes
    ----------
    index
        Its number in the events of the stream.
    id
        Furnace id, as everywhere.
    registered
        It stands in the plant file.
    """

    index: int
    id: str
    registered: bool

    @property
    def area(self) -> str:
        """The level above the furnace, by which tiles are grouped."""
        return area_of(self.id)

    def shown(self) -> dict[str, object]:
        """Return what a browser is told."""
        return {
            "index": self.index, "id": self.id, "area": self.area, "registered": self.registered,
        }  # fmt: skip


def area_of(furnace_id: str) -> str:
    """Return the level above a furnace."""
    return furnace_id.rpartition("/")[0].rpartition("/")[2] or "-"


class Roster:
    """Every furnace that is registered or was heard of.

    Parameters
    ----------
    registered
        Ids of the plant file.
    most
        How many furnaces at most; further ones are left out.

    Attributes
    ----------
    left_out
        How often a furnace was left out.
    """

    def __init__(self, registered: Iterable[str], most: int) -> None:
        self._most = most
        self._entries: dict[str, RosterEntry] = {}
        self.left_out = 0
        for furnace_id in sorted(registered):
            self._enter(furnace_id, registered=True)

    def entry(self, furnace_id: str) -> RosterEntry | None:
        """Return a furnace, or None if it is not known."""
        return self._entries.get(furnace_id)

    def note(self, furnace_id: str) -> RosterEntry | None:
        """Return a furnace that was heard of and was not known before, else None."""
        if furnace_id in self._entries or not is_path(furnace_id):
            return None
        return self._enter(furnace_id, registered=False)

    def in_order(self) -> list[RosterEntry]:
        """Return all furnaces in the order of their tiles: by id, so that place is memory."""
        return sorted(self._entries.values(), key=lambda each: each.id)

    def _enter(self, furnace_id: str, *, registered: bool) -> RosterEntry | None:
        if len(self._entries) >= self._most:
            self.left_out += 1
            return None
        entry = RosterEntry(len(self._entries), furnace_id, registered)
        self._entries[furnace_id] = entry
        return entry
