"""A record that ends the manager again and again is set aside, and no good record with it.

At the beginning of a reign the records that were read at once are named in a commit before they are
judged: as many of each partition as the reign before can have left undone, and of those that stood
there when this reign began. What comes later no reign before has read. Where a reign ended over
named records, the next one names and judges them one by one. Over a record that is found named
twice a reign ended while it was alone. That proves nothing: whoever kills a manager at its start
again and again meets the same record each time. So it is tried first where it harms nobody. What
does not outlive that is not judged, by this manager or a later one, for as long as it can be read.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

MOST_READ: Final = 500
"""So many records are read at a time: under load one transaction commits all of them."""
BATCH: Final = 50
"""So many records or more that wait are committed, though nothing is to be written."""
CAREFUL_RECORDS: Final = MOST_READ + BATCH
"""How many records of each partition a reign names at most: all that the last one may have read and
not committed."""
TRIED: Final = 2
"""Named so often, a record is tried before it is judged."""
GIVEN_UP: Final = 8
"""Named so often, a record is set aside unjudged, though its trial went well: what it brings may
not be writable."""
WITHOUT_BYTES: Final = GIVEN_UP + 1
"""Named so often, its bytes are left out: even its dead letter could not be written."""
MAX_SET_ASIDE: Final = 64
"""The newest of a partition. They are committed together with the offset."""

_Place = TypeVar("_Place", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Suspect:
    """Records that were named before they were judged, and how many reigns ended over them."""

    first: int
    last: int
    times: int

    def __contains__(self, offset: int) -> bool:
        return self.first <= offset <= self.last


class Caution(Generic[_Place]):
    """What a reign must treat with care.

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
        self._named = dict(self._past)
        self._judged: Counter[_Place] = Counter()
        self._ends: Mapping[_Place, int] = {}

    def begin_reign(self, ends: Mapping[_Place, int]) -> None:
        """Begin the reign: name no record from these offsets on, by partition."""
        self._ends = ends

    def name(self, place: _Place, offset: int, last: int) -> bool:
        """Name the record that comes next, or with it those that were read at once.

        Parameters
        ----------
        place, offset
            Partition and offset of the record.
        last
            Offset of the last record of the partition that was read with it.

        Returns
        -------
        Whether something is named that was not: then that must be committed first.
        """
        self._judged[place] += 1
        # Records further on were not yet read when the last reign ended: they did not end it.
        if self._judged[place] > CAREFUL_RECORDS or offset >= self._ends.get(place, offset + 1):
            return False
        if times := self.times_found(place, offset):
            self._named[place] = Suspect(offset, offset, times + 1)
            return True
        named = self._named.get(place)
        if named is not None and offset in named:
            return False
        self._named[place] = Suspect(offset, last, 1)
        return True

    def times_found(self, place: _Place, offset: int) -> int:
        """Return how many reigns have ended over a record, as far as was named."""
        past = self._past.get(place)
        return past.times if past is not None and offset in past else 0

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
        return self._named.get(place)
