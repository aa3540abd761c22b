"""What ends the manager again and again is set aside, without a good record being lost by it.

At the beginning of a reign records are judged one by one, and each commit names the record that
comes next: as many of each partition as the reign before can have left undone. Whoever finds a
record named three times has seen three lives end over it, and does not judge it again; nor does
anybody who comes to it later, for as long as it can be read again. Lives that end for another
reason would have to end three times within the same record's few milliseconds.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

BATCH: Final = 50
"""So many records are read at a time, and committed when so many or more wait."""
CAREFUL_RECORDS: Final = 2 * BATCH
"""How many records of each partition a reign judges one by one: all that the last one may have
read and not committed."""
GIVEN_UP: Final = 3
"""Named so often, a record is set aside unjudged."""
WITHOUT_BYTES: Final = 4
"""Named so often, its bytes are left out: even its dead letter could not be written."""
MAX_SET_ASIDE: Final = 64
"""The newest of a partition; they travel with the committed offset."""

_Place = TypeVar("_Place", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Suspect:
    """A record that was named before it was judged, and how many lives ended over it."""

    offset: int
    times: int


class Caution(Generic[_Place]):
    """How carefully a reign goes.

    Parameters
    ----------
    suspects
        By partition, what the reigns before this one named.
    set_aside
        By partition, the offsets that were set aside and may be read again.
    """

    def __init__(
        self,
        suspects: Mapping[_Place, Suspect] | None = None,
        set_aside: Mapping[_Place, Iterable[int]] | None = None,
    ) -> None:
        self._set_aside = {place: list(found) for place, found in (set_aside or {}).items()}
        self._past = dict(suspects or {})
        self._judged: Counter[_Place] = Counter()
        self._named: tuple[_Place, Suspect] | None = None

    def name(self, place: _Place, offset: int) -> bool:
        """Name the record that comes next, if records of its partition are judged one by one."""
        self._judged[place] += 1
        is_careful = self._judged[place] <= CAREFUL_RECORDS
        suspect = Suspect(offset, self.times_found(place, offset) + 1)
        self._named = (place, suspect) if is_careful else None
        return is_careful

    def times_found(self, place: _Place, offset: int) -> int:
        """Return how many lives have ended over a record, as far as was named."""
        past = self._past.get(place)
        return past.times if past is not None and past.offset == offset else 0

    def set_aside(self, place: _Place, offset: int) -> None:
        """Note that a record is given up."""
        self._set_aside.setdefault(place, []).append(offset)

    def is_set_aside(self, place: _Place, offset: int) -> bool:
        """Tell whether a record was given up, by this reign or by one before it."""
        return offset in self._set_aside.get(place, ())

    def given_up(self, place: _Place, start: int) -> tuple[int, ...]:
        """Return what is to be committed as set aside by who commits ``start``; forget the rest."""
        found = [offset for offset in self._set_aside.pop(place, ()) if offset >= start]
        if found:
            self._set_aside[place] = found[-MAX_SET_ASIDE:]
        return tuple(self._set_aside.get(place, ()))

    def suspect(self, place: _Place) -> Suspect | None:
        """Return what is to be committed as named for a partition."""
        if self._named is not None and self._named[0] == place:
            return self._named[1]
        return self._past.get(place)
