"""Runs to report on, and a reader of the page."""

import json
import math
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from meltwatch_backtester.adapters.report import write_report
from meltwatch_schemas.instants import rfc3339, utc_from_ns
from meltwatch_schemas.raises import answer_of
from meltwatch_schemas.window import NS_PER_S

from tests.support.builders import ALARM, FURNACE, alarm_record

START_NS = 1_750_000_000 * NS_PER_S
VOID = {"meta", "br", "img"}


def moment(second: float) -> str:
    return rfc3339(utc_from_ns(START_NS + round(second * NS_PER_S)))


def run_of(**changes: Any) -> dict[str, Any]:
    """Build a run of 600 s in which one furnace overheats, live and replayed alike."""
    run = {
        "run_id": "5d1f0c",
        "prefix": "meltwatch",
        "from": moment(0),
        "to": moment(600),
        "cuts": "recorded",
        "furnaces": [],
        "model": {"name": "fmformer", "version": "1", "digest": "0" * 64, "encoder_id": "dct"},
        "thresholds": {"all": None},
        "ranges": {"embeddings": {"0": [17, 900]}},
        "records": {"embeddings": 883, "currents": 700, "scores": 416},
        "late": 3,
        "duplicates": 1,
        "dead_letters": {},
        "windows": {FURNACE: {"scored": 400, "degraded": 10, "unscored": 6, "skipped": 0}},
        "comparison": {
            "verdict": "same",
            "statement": "All 416 windows and both alarm transitions are those of the live system.",
            "live_models": [{"name": "fmformer", "version": "1", "digest": "0" * 64}],
            "windows": {
                "compared": 416, "equal": 416, "largest_logit_difference": 0.0, "differences": {},
            },
            "alarms": {"compared": 2, "equal": 2, "differences": []},
        },
        "alarms": [
            {"alarm_id": ALARM, "state": "RTNUN", "raises": 1, "logit_on": 2.0, "logit_off": 0.0}
        ],
        "answer": answer_of([], []).model_dump(mode="json"),
    }  # fmt: skip
    return run | changes


def window_lines(furnace_id: str = FURNACE) -> list[dict[str, Any]]:
    """Build 600 s of windows: a hill of logits, a gap, a stretch without video."""
    lines = []
    for number in range(math.floor(600 / 1.44)):
        second = 1.44 * number + 0.5
        logit = -4 + 8 * math.exp(-(((second - 300) / 60) ** 2))
        status = "degraded" if 100 < second < 115 else "scored"
        if 450 < second < 500:
            continue
        lines.append(
            {
                "furnace_id": furnace_id, "window_end": moment(second), "window_id": "0" * 32,
                "status": status, "logit": logit, "reasons": [], "video_coverage": 1.0,
                "current_coverage": 1.0, "late": second > 590,
                "live": {"status": "scored", "logit": logit}, "difference": None,
            }
        )  # fmt: skip
    return lines


def journal() -> list[Any]:
    steps = ((250, True, "NORM", "UNACK", "RAISE"), (355, False, "UNACK", "RTNUN", "CLEAR"))
    return [
        alarm_record(
            seq=seq, active=active, state=after, raise_time=moment(250),
            clear_time=None if active else moment(second),
            transition={"from": before, "to": after, "cause": cause},
            evidence=alarm_record().evidence.model_copy(
                update={"window_end": utc_from_ns(START_NS + second * NS_PER_S)}
            ).model_dump(),
        )
        for seq, (second, active, before, after, cause) in enumerate(steps)
    ]  # fmt: skip


def write_run(folder: Path, run: dict, windows=(), alarms=(), live=(), seen=()) -> str:
    """Write the files of a run and return its report."""
    (folder / "pictures.json").write_text(json.dumps([each.document() for each in seen]))
    (folder / "run.json").write_text(json.dumps(run))
    (folder / "windows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in windows))
    for name, records in (("alarms", alarms), ("live-alarms", live)):
        lines = [record.to_json() + b"\n" for record in records]
        (folder / f"{name}.jsonl").write_bytes(b"".join(lines))
    write_report(folder)
    return (folder / "report.html").read_text()


class Page(HTMLParser):
    """Checks that what is opened is closed, and keeps tags, attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.text += data


def pictures(text: str, of: str = "Scores of ") -> list[ET.Element]:
    parts = text.split("<svg ")[1:]
    whole = [f"<svg {part.split('</svg>')[0]}</svg>" for part in parts]
    found = [ET.fromstring(picture) for picture in whole]  # noqa: S314 - our own page
    return [picture for picture in found if (picture.get("aria-label") or "").startswith(of)]


def classes(picture: ET.Element, name: str) -> list[ET.Element]:
    return [node for node in picture.iter() if name in (node.get("class") or "").split()]
