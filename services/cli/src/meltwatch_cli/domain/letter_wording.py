"""How dead letters are listed: for people and for programs."""

from collections import Counter
from datetime import datetime
from typing import Any, Final

from meltwatch_schemas.alarm import rfc3339, utc_from_ns
from meltwatch_schemas.redrive import RedriveNote
from meltwatch_schemas.text import escaped

from meltwatch_cli.domain.letters import Letter, Selection
from meltwatch_cli.domain.wording import day_and_clock, shortened

COLUMNS: Final = ("TIME", "ID", "ERROR", "FROM", "KEY", "SIZE", "REDRIVEN", "DETAIL")
"""Headings of the list."""
_DETAIL_WIDTH: Final = 48
_NOTED: Final = {"at", "by", "topic", "partition", "offset"}
_YEAR_9999_MS: Final = 253_402_300_799_000


def row(letter: Letter, sent: RedriveNote | None) -> tuple[str, ...]:
    """Return the cells of a letter under ``COLUMNS``.

    Parameters
    ----------
    letter
        The letter.
    sent
        The note of its redrive, None without one.
    """
    return (
        _moment_text(letter.time_ms),
        str(letter.id),
        escaped(letter.error),
        escaped(_short_origin(letter)),
        escaped(letter.key or "-"),
        _size_text(letter.size_bytes),
        "-" if sent is None else f"{sent.at:%H:%M:%SZ} {escaped(sent.by)}",
        shortened(escaped(letter.detail), _DETAIL_WIDTH),
    )


def as_json_object(letter: Letter, sent: RedriveNote | None) -> dict[str, Any]:
    """Return a letter for programs; arguments as for ``row``."""
    return {
        "id": letter.id,
        "time": time_text(letter.time_ms),
        "error": letter.error,
        "detail": letter.detail,
        "service": letter.service,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "timestamp": time_text(letter.timestamp_ms),
        "key": letter.key,
        "size_bytes": letter.size_bytes,
        "redriven": None if sent is None else sent.model_dump(mode="json", include=_NOTED),
    }


def totals_line(selection: Selection, *, is_cut: bool) -> str:
    """Return one line: how many letters, by error, and of how many that were read."""
    by_error = errors_text(selection.by_error)
    total = selection.by_error.total()
    looked = f"of the newest {selection.looked_at}, --scan looks further" if is_cut else ""
    inside = "; ".join(text for text in (by_error, looked) if text)
    return f"{total} dead letters" + (f" ({inside})" if inside else "")


def errors_text(by_error: Counter[str]) -> str:
    """Return how many there are of each error, the commonest first."""
    return ", ".join(f"{count} {escaped(error)}" for error, count in by_error.most_common())


def _short_origin(letter: Letter) -> str:
    """Return the origin without prefix and version: ``embeddings/3/4711``."""
    if letter.topic is None:
        return "-"
    name = letter.topic.removesuffix(".v1").rpartition(".")[2]
    return f"{name}/{letter.partition}/{letter.offset}"


def _size_text(size_bytes: int) -> str:
    return f"{size_bytes} B" if size_bytes < 10_000 else f"{size_bytes / 1000:.0f} kB"


def _moment_text(time_ms: int) -> str:
    return day_and_clock(_instant(time_ms)) if time_ms <= _YEAR_9999_MS else "far future"


def _instant(time_ms: int) -> datetime:
    return utc_from_ns(time_ms * 1_000_000)


def time_text(time_ms: int | None) -> str | None:
    """Return a time as RFC 3339 text, None for none and for what no calendar knows."""
    if time_ms is None or not 0 <= time_ms <= _YEAR_9999_MS:
        return None
    return rfc3339(_instant(time_ms))
