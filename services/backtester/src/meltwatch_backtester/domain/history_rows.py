"""Rows of a historian's export: times and currents as somebody wrote them, or why they are none."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Final

import numpy as np
from meltwatch_schemas.bounds import MAX_CURRENT_A
from meltwatch_schemas.instants import ns_from_number, ns_from_utc
from meltwatch_schemas.text import escaped
from meltwatch_schemas.window import NS_PER_S
from numpy.typing import NDArray

Cell = str | int | float | None
_NOTHING: Final = frozenset({"", "-", "nan", "null", "none", "n/a"})
_POINT: Final = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_COMMA: Final = re.compile(r"[+-]?([0-9]+(,[0-9]*)?|,[0-9]+)([eE][+-]?[0-9]{1,3})?")
_SINCE_1970: Final = re.compile(r"[0-9]{9,19}([.,][0-9]{1,9})?")
_LONGEST_CELL: Final = 64
_LATEST_NS: Final = 2**63
_HALF_AN_HOUR_NS: Final = 1800 * NS_PER_S
"""Who goes back farther than this in the hour that a clock change repeats, is in its second one."""
_KEPT: Final = 10


class RowError(ValueError):
    """A row that cannot be used; its text says why."""


@dataclass(frozen=True, slots=True)
class RowRules:
    """How rows are written.

    Attributes
    ----------
    zone
        Of times that name none; None refuses them.
    time_format
        As of ``strptime``; None reads RFC 3339, and numbers since 1970.
    decimal_comma
        Numbers have a comma where others have a point.
    scale
        Amperes of one unit.
    """

    zone: tzinfo | None = None
    time_format: str | None = None
    decimal_comma: bool = False
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class HistoricalSample:
    """What flowed at one moment.

    Attributes
    ----------
    time_ns
        Event time, ns UTC.
    values
        Shape ``(3,)``, float32, amperes; NaN where there is no value.
    """

    time_ns: int
    values: NDArray[np.float32]


@dataclass(slots=True)
class RowReader:
    """Reads rows in their order, and counts those that cannot be used.

    Attributes
    ----------
    rules
        How they are written.
    samples, repeated, backward, refused
        How many rows were taken, had the time of the one before, were older than it, and could not
        be understood.
    refusals
        Line and reason of the first rows that were not taken.
    """

    rules: RowRules
    samples: int = 0
    repeated: int = 0
    backward: int = 0
    refused: int = 0
    refusals: list[tuple[int, str]] = field(default_factory=list)
    _last_ns: int | None = None

    def take(self, line: int, time: Cell, values: Sequence[Cell]) -> HistoricalSample | None:
        """Return the sample of a row; None if it is none, which is counted.

        Of two rows of one time the first one counts. A row that goes back is not sorted in.
        """
        try:
            time_ns = self._time_ns(time)
            amperes = [self._amperes(value) for value in values]
        except RowError as error:
            self.refused += 1
            self._note(line, str(error))
            return None
        before_ns = self._last_ns
        if time_ns == before_ns:
            self.repeated += 1
            self._note(line, "its time stands in the row before as well")
            return None
        if before_ns is not None and time_ns < before_ns:
            self.backward += 1
            back_s = (before_ns - time_ns) / NS_PER_S
            self._note(line, f"its time is {back_s:g} s before the one of an earlier row")
            return None
        self._last_ns = time_ns
        self.samples += 1
        return HistoricalSample(time_ns, np.array(amperes, dtype=np.float32))

    def spoiled(self, line: int, why: str) -> None:
        """Count a row that could not even be parted into cells."""
        self.refused += 1
        self._note(line, why)

    def _note(self, line: int, why: str) -> None:
        if len(self.refusals) < _KEPT:
            self.refusals.append((line, escaped(why)))

    def _time_ns(self, cell: Cell) -> int:
        try:
            time_ns = self._instant(cell)
        except RowError:
            raise
        except (ValueError, OverflowError) as error:
            wanted = self.rules.time_format or "an RFC 3339 time or a number since 1970"
            raise RowError(f"expected {wanted}, got {_shown(cell)}") from error
        if not 0 <= time_ns < _LATEST_NS:
            raise RowError(f"expected a time from 1970 to 2262, got {_shown(cell)}")
        return time_ns

    def _instant(self, cell: Cell) -> int:
        if isinstance(cell, int | float) and not isinstance(cell, bool):
            return ns_from_number(cell)
        text = _text(cell)
        if self.rules.time_format is not None:
            moment = datetime.strptime(text, self.rules.time_format)  # noqa: DTZ007 - zone below
        elif _SINCE_1970.fullmatch(text):
            whole, _, part = text.replace(",", ".").partition(".")
            return ns_from_number(float(f"{whole}.{part}") if part else int(whole))
        else:
            moment = datetime.fromisoformat(text)
        return ns_from_utc(moment) if moment.tzinfo is not None else self._placed(moment)

    def _placed(self, local: datetime) -> int:
        """Return a local time as ns UTC; which of two hours it is, the row before tells."""
        if (zone := self.rules.zone) is None:
            raise RowError("expected a time with its zone, or --zone")
        first, second = (
            ns_from_utc(local.replace(tzinfo=zone, fold=fold).astimezone(UTC)) for fold in (0, 1)
        )
        if first > second:
            raise RowError(f"expected a time that there was: clocks leapt over {local.isoformat()}")
        is_second = self._last_ns is not None and first < self._last_ns - _HALF_AN_HOUR_NS
        return second if is_second else first

    def _amperes(self, cell: Cell) -> float:
        if cell is None:
            return float("nan")
        if isinstance(cell, str):
            cell = self._number(_text(cell))
        amperes = float(cell) * self.rules.scale
        # NaN is no value, and compares as not above.
        if abs(amperes) > MAX_CURRENT_A:
            raise RowError(f"expected amperes, got {_shown(cell)}")
        return amperes

    def _number(self, text: str) -> float:
        if text.lower() in _NOTHING:
            return float("nan")
        pattern, mark = (_COMMA, ",") if self.rules.decimal_comma else (_POINT, ".")
        if not pattern.fullmatch(text):
            raise RowError(f"expected a number with a decimal {mark!r}, got {_shown(text)}")
        return float(text.replace(",", "."))


def _text(cell: Cell) -> str:
    text = str(cell).strip()
    if len(text) > _LONGEST_CELL:
        raise RowError(f"expected at most {_LONGEST_CELL} characters, got {len(text)}")
    return text


def _shown(cell: Cell) -> str:
    return f"{cell!r:.40}"
