"""When a pushed value was measured: by the source's own clock if that can be, else by arrival."""

from dataclasses import dataclass
from typing import Final

from meltwatch_schemas.window import NS_PER_S

AGREES_NS: Final = 2 * NS_PER_S
"""A source's clock may be off by so much."""
DISTRUST_NS: Final = 20 * NS_PER_S
"""After a time that was off, the source's clock is not used for so long."""
DISAGREES_NS: Final = 2 * NS_PER_S
"""A clock is named that is off for so long: the first value of a session, and those that were held
up on the way, may be old without any fault of a clock."""


@dataclass(slots=True)
class SourceTime:
    """Stamps the values of one source.

    Attributes
    ----------
    trusts_source
        The plant file says ``clock: source``; else ``arrival``.
    delay_ns
        Of the meter's values.
    offset_ns
        Source time minus arrival of the newest value, ns; None if it says none.
    """

    trusts_source: bool = True
    delay_ns: int = 0
    offset_ns: int | None = None
    _off_since_ns: int | None = None
    _off_at_ns: int | None = None
    _is_off: bool = False

    def event_ns(self, source_ns: int | None, arrival_ns: int) -> int:
        """Return when a value was measured, ns UTC.

        Parameters
        ----------
        source_ns
            What the source says of it, if anything.
        arrival_ns
            When it was here.
        """
        self.offset_ns = None if source_ns is None else source_ns - arrival_ns
        is_good = self.trusts_source and self._agrees(arrival_ns)
        return (source_ns if is_good and source_ns is not None else arrival_ns) - self.delay_ns

    @property
    def disagrees(self) -> bool:
        """Whether the source's clock is wrong, or ours."""
        if not self._is_off or self._off_since_ns is None or self._off_at_ns is None:
            return False
        return self._off_at_ns - self._off_since_ns >= DISAGREES_NS

    def _agrees(self, arrival_ns: int) -> bool:
        if self.offset_ns is None:
            return False
        was_off, self._is_off = self._is_off, abs(self.offset_ns) > AGREES_NS
        if self._is_off:
            self._off_at_ns = arrival_ns
            if not was_off:
                self._off_since_ns = arrival_ns
            return False
        return self._off_at_ns is None or not 0 <= arrival_ns - self._off_at_ns < DISTRUST_NS
