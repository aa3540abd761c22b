"""What ends the manager again and again is set aside, without a good record being lost by it.

A reign that began and brought no batch of records to its end is followed by a careful one: it
judges records one by one, and each commit names the record that comes next. Whoever finds a record
named twice has seen two lives end over it, and does not judge it again; nor does anybody who comes
to it later, for as long as it can be read again. A life that ends for another reason would have to
end twice within the same record's few milliseconds.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

CAREFUL_RECORDS: Final = 500
"""How many records a careful reign judges one by one: the largest batch."""
GIVEN_UP: Final = 2
"""Named so often, a record is set aside unjudged."""
WITHOUT_BYTES: Final = 3
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
    lives
        Reigns before this one that began and brought nothing to its end, in a row.
    suspects
        By partition, what they named.
    set_aside
        By partition, the offsets that were set aside and may be read again.

    Attributes
    ----------
    lives
        What is committed: this reign included, until it has brought something to its end.
    """

    def __init__(
        self,
        lives: int = 0,
        suspects: Mapping[_Place, Suspect] | None = None,
        set_aside: Mapping[_Place, Iterable[int]] | None = None,
    ) -> None:
        self.lives = lives + 1
        self._set_aside = {place: list(found) for place, found in (set_aside or {}).items()}
        self._past = dict(suspects or {})
        self._left = CAREFUL_RECORDS if lives or self._past else 0
        self._named: tuple[_Place, Suspect] | None = None

    @property
    def is_careful(self) -> bool:
        """Whether records are to be judged one by one."""
        return self._left > 0

    def name(self, place: _Place, offset: int) -> None:
        """Name the record that comes next."""
        self._left -= 1
        self._named = (place, Suspect(offset, self._times(place, offset) + 1))

    def times_found(self, place: _Place, offset: int) -> int:
        """Return how many lives have ended over a record, as far as was named."""
        return self._times(place, offset)

    def _times(self, place: _Place, offset: int) -> int:
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

    def passed(self) -> None:
        """Note that everything begun has been brought to its end."""
        self._named = None
        self.lives = 0

    def suspect(self, place: _Place) -> Suspect | None:
        """Return what is to be committed as named for a partition."""
        if self._named is not None and self._named[0] == place:
            return self._named[1]
        return self._past.get(place)
