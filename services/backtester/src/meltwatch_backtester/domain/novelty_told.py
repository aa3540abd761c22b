"""What ``run.json`` says of portraits, in words."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

_SHOWN_ID: Final = 16


def novelty_lines(run: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a person should know of the portraits of a backtest; nothing without any.

    Parameters
    ----------
    run
        What ``run.json`` says.
    """
    found = run.get("novelty", {}).get("furnaces", {})
    counts = {
        word: sum(each[word] for each in found.values())
        for word in ("computed", "carried_over", "unknown_before")
    }
    if counts["computed"]:
        yield f"novelty: {counts['computed']} windows compared with a portrait again"
    if counts["carried_over"]:
        yield (
            f"novelty: {counts['carried_over']} windows as live said it, "
            "for history does not hold the portrait any more"
        )
    if counts["unknown_before"]:
        yield (
            f"novelty: {counts['unknown_before']} windows as live said it, "
            "for history does not hold the score before them"
        )
    points = {alarm["alarm_id"] for alarm in run["alarms"]}
    for furnace_id, portrait_id in run.get("portraits", {}).items():
        yield _tried(furnace_id, portrait_id, has_windows=furnace_id in found)
        if furnace_id in found and f"{furnace_id}/NOVELTY" not in points:
            yield (
                f"{furnace_id}: no alarm point NOVELTY, so nothing can be raised by it; "
                "'meltwatch alarms setpoint --of novelty --backtest' finds a threshold"
            )


def _tried(furnace_id: str, portrait_id: str, *, has_windows: bool) -> str:
    told = f"portrait tried: {furnace_id}: {portrait_id[:_SHOWN_ID]}"
    return told if has_windows else f"{told}; no window of it is in this span"
