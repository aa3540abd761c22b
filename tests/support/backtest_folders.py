"""Folders of backtests for tests, as the program leaves them."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from meltwatch_schemas.raises import Raised, answer_of

FURNACE = "plant/hall/FMF-01"
ALARM = f"{FURNACE}/OVERHEAT"
BEGIN = datetime(2026, 3, 1, 8, tzinfo=UTC)
HOP_S = 1.44


def at(second: float) -> datetime:
    """An instant of the span."""
    return BEGIN + timedelta(seconds=second)


def told(second: float) -> str:
    """The same as the files say it."""
    return at(second).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def raises(*seconds: float) -> list[Raised]:
    """Raises of the one alarm, half a minute each."""
    return [Raised(ALARM, "high", f"o-{s:g}", at(s), at(s + 30)) for s in seconds]


def run_of(
    live: tuple[float, ...] = (100, 300), ours: tuple[float, ...] = (110, 302.5), **changes: Any
) -> dict[str, Any]:
    """What ``run.json`` says of 600 s of one furnace."""
    answer = answer_of(raises(*live), raises(*ours))
    run = {
        "run_id": "5d1f0c0000000000", "prefix": "meltwatch", "from": told(0), "to": told(600),
        "cuts": "recorded", "furnaces": [],
        "model": {"name": "fmformer", "version": "1", "digest": "0" * 64, "encoder_id": "dct"},
        "thresholds": {"all": None},
        "windows": {FURNACE: {"scored": 410, "degraded": 0, "unscored": 6, "skipped": 0}},
        "comparison": {"verdict": "same", "statement": "The same.", "live_models": []},
        "alarms": [
            {
                "alarm_id": ALARM, "state": "NORM", "raises": len(ours), "logit_on": 2.9,
                "logit_off": 0.9, "on_delay_s": 5.5, "off_delay_s": 4.0,
            }
        ],
        "answer": answer.model_dump(mode="json", by_alias=True),
    }  # fmt: skip
    return run | changes


def windows(level: float = -4.0) -> list[dict[str, Any]]:
    """600 s of one furnace: a hill around 120 s, without windows from 400 s to 450 s."""
    lines = []
    for number in range(int(600 / HOP_S)):
        second = HOP_S * (number + 1)
        if 400 < second < 450:
            continue
        logit = 5.0 if 104 < second < 140 else level
        lines.append(
            {
                "furnace_id": FURNACE, "window_end": told(second), "window_id": "0" * 32,
                "status": "scored", "logit": logit, "reasons": [], "video_coverage": 1.0,
                "current_coverage": 1.0, "late": False,
                "live": {"status": "scored", "logit": logit - 0.5}, "difference": None,
            }
        )  # fmt: skip
    return lines


def write_backtest(folder: Path, run: dict[str, Any] | None = None, finished_s: int = 0) -> Path:
    """Write a folder that the list of backtests takes."""
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(run_of() if run is None else run))
    timing = {"finished_at_ns": 1_772_000_000_000_000_000 + finished_s * 10**9, "version": "0.2.0"}
    (folder / "timing.json").write_text(json.dumps(timing))
    lines = "".join(json.dumps(each) + "\n" for each in windows())
    (folder / "windows.jsonl").write_text(lines)
    for name in ("alarms.jsonl", "live-alarms.jsonl"):
        (folder / name).write_text("")
    (folder / "report.html").write_text("<!DOCTYPE html><title>report</title>")
    return folder
