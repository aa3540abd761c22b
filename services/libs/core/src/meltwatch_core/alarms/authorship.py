"""Which records of a topic that the manager alone may write it has written itself.

The broker lets anybody with the right write there, and a consumer is not told who wrote what. But
the manager knows the offset of each record that it wrote, and commits with every transaction how
far it has looked the topic through, and which records beyond that are its own. So this manager, and
the next one, recognise every record of somebody else.
"""

from collections.abc import Iterable
from typing import Final, Self

from meltwatch_schemas.errors import ContractViolation
from meltwatch_schemas.json_object import parse_object
from meltwatch_schemas.record import RawRecord

Range = tuple[int, int]
"""First and last offset."""

MAX_RANGES: Final = 64
"""They travel with the committed offset, for which a broker takes 4,096 bytes."""
MAX_EPOCH: Final = 2**52
"""No greater epoch answers a claim above this: readers hold numbers up to 2^53 exactly."""
MAX_OWN_EPOCH: Final = MAX_EPOCH + 2**51
"""No manager reaches this, even if every record it ever reads claimed ``MAX_EPOCH``."""


class Authorship:
    """What is known of one topic of one partition.

    Parameters
    ----------
    checked
        All records below this offset are accounted for.
    own
        Those of the manager from there on.

    Attributes
    ----------
    checked, own
        The present values.
    """

    def __init__(self, checked: int = 0, own: Iterable[Range] = ()) -> None:
        self.checked = checked
        self.own: list[Range] = sorted(own)

    def wrote(self, offset: int, *, begins: bool = False) -> Self:
        """Note a record that the manager writes; offsets ascend.

        Parameters
        ----------
        offset
            Where it stands.
        begins
            Whether it is the first one here of its transaction: then one offset between it and
            the last record is that one's commit marker, and nobody else's record.
        """
        if self.own and offset - self.own[-1][1] <= 1 + begins:
            self.own[-1] = (self.own[-1][0], offset)
        else:
            self.own.append((offset, offset))
        if len(self.own) > MAX_RANGES:
            (first, _), (_, last) = self.own[:2]
            self.own[:2] = [(first, last)]
        return self

    def is_own(self, offset: int) -> bool:
        """Tell whether a record is the manager's, or was dealt with before."""
        return offset < self.checked or any(first <= offset <= last for first, last in self.own)

    def look_at(self, offset: int) -> bool:
        """Tell whether the next record is the manager's; all up to it is accounted for now."""
        is_own = self.is_own(offset)
        self.checked = max(self.checked, offset + 1)
        self.own = [(first, last) for first, last in self.own if last >= self.checked]
        return is_own


def claimed_epoch(record: RawRecord) -> int:
    """Return the epoch that a record names, even if the rest is damaged; 0 if none.

    A number beyond 64 bits counts as one above all bounds, and can be reported.
    """
    try:
        epoch = parse_object(record.value or b"").get("epoch")
    except ContractViolation:
        return 0
    return min(epoch, 2**63) if isinstance(epoch, int) and epoch > 0 else 0
