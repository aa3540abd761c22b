"""The folder of a backtest: findings as JSON, windows and alarms one a line."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final, Self

from meltwatch_chassis.errors import BadUsage
from meltwatch_chassis.whole_file import DRAFT, write_whole
from meltwatch_core.alarms.alarm import surprise_of
from meltwatch_schemas.alarm import AlarmRecord
from meltwatch_schemas.instants import rfc3339, utc_from_ns
from meltwatch_schemas.score import WindowScore

from meltwatch_backtester.domain.sight import Sight
from meltwatch_backtester.domain.window_comparison import Kind

RUN: Final = "run.json"
TIMING: Final = "timing.json"
WINDOWS: Final = "windows.jsonl"
BEFORE: Final = "before.jsonl"
ALARMS: Final = "alarms.jsonl"
LIVE_ALARMS: Final = "live-alarms.jsonl"
REPORT: Final = "report.html"
PICTURES: Final = "pictures.json"
_WHOLE: Final = frozenset({RUN, TIMING, ALARMS, LIVE_ALARMS, REPORT, PICTURES})
_FILES: Final = _WHOLE | {WINDOWS, BEFORE} | {f"{name}{DRAFT}" for name in _WHOLE}


class ResultFolder:
    """Writes results as they come; the same results give the same bytes.

    Parameters
    ----------
    folder
        A new or empty one, or that of an earlier backtest, which is written over.

    Attributes
    ----------
    path
        The folder.

    Raises
    ------
    BadUsage
        If it holds something else, or cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder
        with output_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for file in _earlier(folder):
                file.unlink()
            self._windows: IO[str] = (folder / WINDOWS).open("w", encoding="utf-8")
            self._before: IO[str] = (folder / BEFORE).open("w", encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # the failure to write has been reported
            self._close()

    def recalled(self, score: WindowScore) -> None:
        """Write a score before the span, from which delays run on."""
        line = {
            "furnace_id": score.furnace_id,
            "window_end": rfc3339(utc_from_ns(score.window_end_ns)),
            "logit": score.logit,
            **_compared(score),
        }
        with output_errors(self.path):
            self._before.write(_compact(line) + "\n")

    def window(
        self,
        score: WindowScore | None,
        live: WindowScore | None,
        kind: Kind | None,
        *,
        is_late: bool,
    ) -> None:
        """Write one window: the replayed score, the live one, and how they differ."""
        told = score or live
        if told is None:
            return
        line = {
            "furnace_id": told.furnace_id,
            "window_end": rfc3339(utc_from_ns(told.window_end_ns)),
            "window_id": told.window_id,
            "status": score.status.value if score else None,
            "logit": score.logit if score else None,
            **_compared(score),
            "reasons": list(score.reasons) if score else [],
            "video_coverage": score.video_coverage if score else None,
            "current_coverage": score.current_coverage if score else None,
            "late": is_late,
            "live": {"status": live.status.value, "logit": live.logit} if live else None,
            "difference": kind.value if kind else None,
        }
        with output_errors(self.path):
            self._windows.write(_compact(line) + "\n")

    def alarms(self, name: str, records: Iterable[AlarmRecord]) -> None:
        """Write alarm records, in the order of the clock that they bear."""
        ordered = sorted(records, key=lambda each: (each.times.published, each.alarm_id, each.seq))
        lines = (record.to_json().decode() + "\n" for record in ordered)
        with output_errors(self.path):
            write_whole(self.path / name, "".join(lines))

    def pictures(self, sights: Iterable[Sight]) -> None:
        """Write what there was to be seen at raises, by time."""
        ordered = sorted(sights, key=lambda each: (each.window_end_ns, each.furnace_id))
        text = json.dumps([each.document() for each in ordered], indent=1) + "\n"
        with output_errors(self.path):
            write_whole(self.path / PICTURES, text)

    def finish(self, run: Mapping[str, Any], timing: Mapping[str, Any]) -> None:
        """Write the findings, and in a file of its own what differs from run to run."""
        with output_errors(self.path):
            self._close()
            for name, content in {TIMING: timing, RUN: run}.items():
                text = json.dumps(content, indent=2, allow_nan=False) + "\n"
                write_whole(self.path / name, text)

    def _close(self) -> None:
        for file in (self._windows, self._before):
            file.close()


@contextmanager
def output_errors(folder: Path) -> Iterator[None]:
    """Turn an error of the disk into one line.

    Raises
    ------
    BadUsage
        If something in the folder cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise BadUsage(
            f"--output: expected a folder that can be written, {folder}: {error.strerror}"
        ) from error


def _earlier(folder: Path) -> list[Path]:
    """Return the files of an earlier backtest."""
    found = list(folder.iterdir())
    if others := sorted(file.name for file in found if file.name not in _FILES):
        raise BadUsage(
            f"--output: expected a folder without other files, {folder} holds {others[0]}"
        )
    return found


def _compared(score: WindowScore | None) -> dict[str, Any]:
    """Say how unlike its portrait the furnace was, as an alarm judges it; nothing without one."""
    if score is None or score.novelty is None:
        return {}
    return {"surprise": surprise_of(score), "portrait": score.novelty.portrait}


def _compact(line: Mapping[str, Any]) -> str:
    return json.dumps(line, separators=(",", ":"), allow_nan=False)
