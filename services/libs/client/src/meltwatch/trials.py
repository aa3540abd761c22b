"""What another set-point would have raised, by the rule itself over stored levels of furnaces."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from meltwatch.errors import BacktestError, one_line
from meltwatch.instants import us_of
from meltwatch.table import ArrowTable

if TYPE_CHECKING:
    from meltwatch_core.alarms.sweep import Activation, LevelSeries
    from meltwatch_schemas.alarm_point import Setpoint
    from meltwatch_schemas.backtest import TriedPoint

TIME: Final = pa.timestamp("us", "UTC")
_RAISED: Final = pa.schema(
    [
        ("alarm_id", pa.string()),
        ("furnace_id", pa.string()),
        ("raise_time", TIME),
        ("clear_time", TIME),
        ("window_end", TIME),
    ]
)


@dataclass(frozen=True)
class ThresholdOutcome:
    """What a set-point would have done.

    Attributes
    ----------
    on, off
        The thresholds, log-odds.
    alarms
        Each time that an alarm was raised: when, by which window, and when it was cleared; a time
        is missing where the alarm stood before the span, or stands at its end.
    """

    on: float
    off: float | None
    alarms: ArrowTable

    @property
    def raises(self) -> int:
        """How often an alarm was raised within the span."""
        return int(len(self.alarms) - self.alarms.arrow.column("raise_time").null_count)


@dataclass(frozen=True)
class FurnaceLevels:
    """Scores or surprises of a furnace, in the order of the replay.

    Attributes
    ----------
    before, windows
        Those before the span, and those within it.
    """

    before: "LevelSeries"
    windows: "LevelSeries"

    def activations(self, point: "TriedPoint", setpoint: "Setpoint") -> "list[Activation]":
        """Return when an alarm would have stood, had a set-point judged the levels."""
        from meltwatch_core.alarms.condition import Condition  # noqa: PLC0415 - optional
        from meltwatch_core.alarms.sweep import activations, recalled  # noqa: PLC0415 - optional

        known_ns = None if point.known_until is None else us_of(point.known_until) * 1000
        begins = recalled(
            self.before.after_ns(known_ns), setpoint, Condition(active=point.active_before)
        )
        return activations(self.windows, setpoint, begins)


def setpoint_of(
    point: "TriedPoint", on: float, off: float | None, delays: tuple[float | None, float | None]
) -> "Setpoint":
    """Return an alarm's own set-point with other thresholds, and other delays where given.

    Raises
    ------
    BacktestError
        If it is none.
    """
    from meltwatch_schemas.alarm_point import Setpoint  # noqa: PLC0415 - optional

    own = (point.on_delay_s, point.off_delay_s)
    on_s, off_s = (
        mine if given is None else given for given, mine in zip(delays, own, strict=True)
    )
    by_portrait = point.novelty_on is not None
    own_off = (point.novelty_off or 0.0) if by_portrait else point.logit_off
    levels = {"on": on, "off": min(own_off, on) if off is None else off}
    judged_by = "novelty" if by_portrait else "logit"
    try:
        return Setpoint.model_validate(
            {
                "logit_on": 0.0,
                "logit_off": 0.0,
                **{f"{judged_by}_{end}": level for end, level in levels.items()},
                "on_delay_s": on_s or 0.0,
                "off_delay_s": off_s or 0.0,
                "k": point.k,
                "n": point.n,
            }
        )
    except ValueError as error:
        raise BacktestError(f"expected a set-point, {one_line(error)}") from error


@dataclass(frozen=True)
class StoredRows:
    """What is stored of one furnace's windows; places count those of all."""

    ends_us: list[int] = field(default_factory=list)
    levels: list[float] = field(default_factory=list)
    portraits: list[str] = field(default_factory=list)
    places: list[int] = field(default_factory=list)


def by_furnace(rows: "Iterator[tuple[Any, ...]]") -> dict[str, StoredRows]:
    """Collect rows of furnace, window end (microseconds since 1970), level and portrait."""
    found: dict[str, StoredRows] = {}
    for place, (furnace_id, end_us, level, portrait) in enumerate(rows):
        known = found.setdefault(furnace_id, StoredRows())
        known.ends_us.append(end_us)
        known.levels.append(level)
        known.portraits.append(portrait or "")
        known.places.append(place)
    return found


def levels_of(before: StoredRows, within: StoredRows, name: str) -> FurnaceLevels:
    """Return a furnace's levels; what stands before the span comes right before it."""
    from meltwatch_core.alarms.sweep import LevelSeries  # noqa: PLC0415 - optional

    def series(rows: StoredRows, places: Sequence[int]) -> LevelSeries:
        ends, levels = np.array(rows.ends_us, np.int64) * 1000, np.array(rows.levels, float)
        portraits = rows.portraits if name == "surprise" else None
        return LevelSeries.of(ends, levels, places, portraits)

    first = (within.places or [0])[0] - len(before.places)
    return FurnaceLevels(
        series(before, range(first, first + len(before.places))), series(within, within.places)
    )


def outcome_of(
    on: float, off: float | None, raised: "Iterable[tuple[str, Activation]]"
) -> ThresholdOutcome:
    """Return what thresholds would have done, of each alarm's id and what it raised."""
    rows = [
        {"alarm_id": alarm_id, "furnace_id": alarm_id.rpartition("/")[0], **_times(activation)}
        for alarm_id, activation in raised
    ]
    rows.sort(key=lambda row: (row["raise_time"] or 0, row["alarm_id"]))
    return ThresholdOutcome(on, off, ArrowTable(pa.Table.from_pylist(rows, _RAISED)))


def _times(activation: "Activation") -> dict[str, int | None]:
    told = {
        "raise_time": activation.raised_ns,
        "clear_time": activation.cleared_ns,
        "window_end": activation.window_end_ns,
    }
    return {name: None if at_ns is None else at_ns // 1000 for name, at_ns in told.items()}
