"""How the pipeline does, as topics tell: furnaces, their newest windows, the alarm manager."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from meltwatch_chassis.clock import Clock
from meltwatch_schemas.alarm import Heartbeat
from meltwatch_schemas.score import Modality, WindowScore
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S

from meltwatch_console.domain.flags import BACK_FILL, flags_of
from meltwatch_console.domain.roster import Roster
from meltwatch_console.pipeline.score_book import ScoreBook

OLD_NS: Final = 15 * NS_PER_S
"""A furnace whose newest window ended earlier is not heard any more."""


class SystemReport:
    """Counts what is known.

    Parameters
    ----------
    roster
        The furnaces.
    book
        Their scores.
    heartbeat
        Returns the newest of the alarm manager, None where none was heard.
    own
        Returns what this console says of itself.
    clock
        Wall clock.
    """

    def __init__(
        self,
        roster: Roster,
        book: ScoreBook,
        heartbeat: Callable[[], Heartbeat | None],
        own: Callable[[], Mapping[str, Any]],
        clock: Clock,
    ) -> None:
        self._roster = roster
        self._book = book
        self._heartbeat = heartbeat
        self._own = own
        self._clock = clock

    def now(self) -> dict[str, Any]:
        """Return all but the furnaces one by one."""
        now_ns = self._clock.now_ns()
        newest = [score for _, score in self._newest()]
        heard = [score for score in newest if now_ns - score.window_end_ns <= OLD_NS]
        by_status: dict[str, int] = {}
        for score in heard:
            by_status[score.status.value] = by_status.get(score.status.value, 0) + 1
        live = [_lag_s(score) for score in heard if not flags_of(score) & BACK_FILL]
        beat = self._heartbeat()
        return {
            "now_ms": now_ns // NS_PER_MS,
            "furnaces": {
                "known": len(self._roster.in_order()),
                "heard": len(heard),
                "by_status": by_status,
                "score_lag_s": _quantiles(live),
            },
            "alarm_manager": None if beat is None else beat.model_dump(mode="json"),
            "console": dict(self._own()),
        }

    def furnaces(self) -> list[dict[str, Any]]:
        """Return the newest window of each furnace: what its inputs are worth, and how old."""
        return [
            {
                "id": furnace_id,
                "status": score.status.value,
                "video_coverage": score.video_coverage,
                "current_coverage": score.current_coverage,
                "end_ms": score.window_end_ns // NS_PER_MS,
                "video_ms": _event_ms(score, Modality.VIDEO),
                "current_ms": _event_ms(score, Modality.CURRENT),
                "lag_s": _lag_s(score),
            }
            for furnace_id, score in self._newest()
        ]

    def _newest(self) -> list[tuple[str, WindowScore]]:
        found = ((entry.id, self._book.newest(entry.id)) for entry in self._roster.in_order())
        return [(furnace_id, score) for furnace_id, score in found if score is not None]


def _lag_s(score: WindowScore) -> float:
    return round((score.times.published_ns - score.window_end_ns) / NS_PER_S, 2)


def _event_ms(score: WindowScore, modality: Modality) -> int | None:
    state = score.source_states.get(modality)
    return None if state is None else state.event_ns // NS_PER_MS


def _quantiles(values: list[float]) -> dict[str, float] | None:
    if not values:
        return None
    ordered = sorted(values)
    return {
        name: ordered[min(len(ordered) - 1, int(share * len(ordered)))]
        for name, share in (("p50", 0.5), ("p95", 0.95))
    }
