"""``meltwatch alarms report``: the same figures in every form, honest about what is missing."""

import csv
import io
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from meltwatch_backtester.adapters.alarm_report import load_chart
from meltwatch_core.alarms.kpi.key_figures import Audit, Grade, figures_of
from meltwatch_core.alarms.kpi.load import Stretch

from tests.unit.backtester.alarm_journal.test_journal import run, told
from tests.unit.core.alarms.kpi.story import DAY_S, Story, at_ns, name

A, B = name(1), name(2)
Command = Callable[..., tuple[int, str, str]]
MONTH = ("--from", "2026-03-01T00:00:00Z", "--to", "2026-03-31T00:00:00Z")


def eventful() -> Story:
    """A month with a flood, a chattering, a fleeting and a stale alarm, and a shelved one."""
    story = Story()
    for number in range(20):
        story.raises(name(number), 3600 + number * 0.5)
        story.acks(name(number), 3700 + number)
        story.clears(name(number), 4000)
    for second in range(0, 100, 10):
        story.blinks(A, 2 * DAY_S + second, 5)
    story.raises(B, 5 * DAY_S).acks(B, 5 * DAY_S + 30)
    shelve = {"until": "2026-04-20T00:00:00Z", "by": "li", "reason": "known"}
    story.raises(name(3), 6 * DAY_S)
    story.tell(name(3), 6 * DAY_S + 60, "SHELVE", "SHLVD", by="li", shelve=shelve)
    return story


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal that covers March; nobody writes to it."""
    tmp_path = tmp_path_factory.mktemp("month")
    kafka = told(eventful())
    kafka.now_ns = at_ns(4 * DAY_S)  # within seven days of its first record
    run(kafka, tmp_path / "journal")
    kafka.now_ns = at_ns(8 * DAY_S)
    run(kafka, tmp_path / "journal")
    for day in range(10, 40, 5):
        kafka.now_ns = at_ns(day * DAY_S)
        run(kafka, tmp_path / "journal")
    return tmp_path / "journal"


def test_every_form_tells_the_same(command: Command, month: Path) -> None:
    asked = ("alarms", "report", *MONTH, "--journal", str(month))
    code, text, error = command(*asked, "--format", "json")
    assert (code, error) == (0, "")
    figures = {key: figure["value"] for key, figure in json.loads(text)["figures"].items()}
    assert figures["annunciations"] == 32
    assert figures["peak_10_min"] == 20
    assert (figures["chattering"], figures["fleeting"], figures["stale"]) == (1, 10, 1)
    assert (figures["standing"], figures["shelved"]) == (1, 1)
    code, text, _ = command(*asked, "--format", "csv")
    rows = {row["key"]: row["value"] for row in csv.DictReader(io.StringIO(text))}
    assert {key: float(value) for key, value in rows.items() if value} == {
        key: pytest.approx(value) for key, value in figures.items() if value is not None
    }
    assert command(*asked, "--json")[1] == command(*asked, "--format", "json")[1]
    code, text, _ = command(*asked)
    assert re.search(r"Alarms announced +32\n", text)
    assert f"first out {name(0)}" in text


def test_one_flood_with_right_begin_and_end(command: Command, month: Path) -> None:
    _, text, _ = command("alarms", "report", *MONTH, "--journal", str(month), "--json")
    floods = json.loads(text)["floods"]
    assert floods[0]["first_out"] == name(0)
    assert floods[0]["first_at"] == "2026-03-01T01:00:00.000000Z"
    assert floods[0]["from"] == "2026-03-01T01:00:05.000000Z"
    assert floods[0]["to"] == "2026-03-01T01:10:07.500000Z"
    assert floods[0]["annunciations"] == 20
    assert len(floods) == 1


def test_the_page_is_whole_and_needs_nothing(command: Command, month: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    code, said, _ = command("alarms", "report", *MONTH, "--journal", str(month), "--out", str(page))
    assert (code, said) == (0, "")
    text = page.read_text()
    assert "http" not in text.replace("http-equiv", "")
    assert "<script" not in text
    pictures = re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL)
    assert len(pictures) == 2
    for picture in pictures:
        ET.fromstring(picture)  # noqa: S314 - our own
    assert "Designed along ISA-18.2" in text
    assert not re.search(r"conform|complian", text, flags=re.IGNORECASE)


def test_a_journal_that_begins_later_says_so(command: Command, month: Path) -> None:
    asked = ("--from", "2026-02-01T00:00:00Z", "--to", "2026-03-11T00:00:00Z")
    _, text, _ = command("alarms", "report", *asked, "--journal", str(month), "--json")
    document = json.loads(text)
    assert document["from"] == "2026-03-01T01:00:00.000000Z"
    assert "The journal begins at 2026-03-01 01:00:00 UTC, later than asked" in document["notes"][0]
    # 32 alarms in 9 days and 23 hours, not in 38 days.
    assert document["figures"]["per_day"]["value"] == pytest.approx(32 / (9 + 23 / 24))


def test_a_journal_that_ends_earlier_says_so(command: Command, month: Path) -> None:
    asked = ("--from", "2026-03-30T00:00:00Z", "--to", "2026-12-31T00:00:00Z")
    _, text, _ = command("alarms", "report", *asked, "--journal", str(month))
    assert "The journal ends at 2026-04-05 00:00:00 UTC, earlier than asked." in text


def test_a_week_nobody_wrote_down_is_told(command: Command, month: Path, tmp_path: Path) -> None:
    month = Path(shutil.copytree(month, tmp_path / "copy"))
    kafka = told(eventful())
    kafka.now_ns = at_ns(60 * DAY_S)
    run(kafka, month)
    asked = ("--from", "2026-03-01T00:00:00Z", "--to", "2026-04-30T00:00:00Z")
    _, text, _ = command("alarms", "report", *asked, "--journal", str(month))
    assert "Records may be missing from 2026-04-05 00:00 UTC to 2026-04-23 00:00 UTC" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--from", "2025-01-01T00:00:00Z", "--to", "2025-02-01T00:00:00Z"), "the journal has"),
        (("--from", "1h", "--to", "2h"), "expected the later time second"),
        (("--zone", "Mars/Base"), "expected a name like Asia/Shanghai, got 'Mars/Base'"),
        (("--zone", "../../etc/passwd"), "expected a name like Asia/Shanghai"),
        ((*MONTH, "--json", "--format", "csv"), "expected --json or --format csv"),
        ((*MONTH, "--out", "/nowhere/at/all.html"), "--out: /nowhere/at/all.html: No such file"),
    ],
)
def test_what_cannot_be_told_is_one_line(
    command: Command, month: Path, arguments: tuple[str, ...], said: str
) -> None:
    code, out, error = command("alarms", "report", "--journal", str(month), *arguments)
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert said in error


def test_a_record_that_the_broker_took_a_little_later_counts(
    command: Command, tmp_path: Path
) -> None:
    kafka = told(Story().raises(A, 0).raises(B, 59))
    (late,) = kafka.records[1:]
    kafka.records[1] = replace(late, timestamp_ms=late.timestamp_ms + 5000)
    kafka.now_ns = at_ns(600)
    run(kafka, tmp_path)
    asked = ("--from", "2026-03-01T00:00:00Z", "--to", "2026-03-01T00:01:00Z")
    _, text, _ = command("alarms", "report", *asked, "--journal", str(tmp_path), "--json")
    assert json.loads(text)["figures"]["annunciations"]["value"] == 2


def test_no_journal_and_spoilt_ones_are_one_line(command: Command, tmp_path: Path) -> None:
    code, _, error = command("alarms", "report", *MONTH, "--journal", str(tmp_path))
    assert (code, error.count("\n")) == (2, 1)
    assert "expected an alarm journal, found no file of alarms in it" in error
    (tmp_path / "alarms").mkdir()
    (tmp_path / "alarms/000001-2026-03-01.parquet").write_text("nothing of the kind")
    code, _, error = command("alarms", "report", *MONTH, "--journal", str(tmp_path))
    assert (code, error.count("\n")) == (2, 1)
    assert "000001-2026-03-01.parquet: expected a volume of an alarm journal" in error


def test_days_are_those_of_the_plant(command: Command, month: Path) -> None:
    asked = (*MONTH, "--journal", str(month), "--json", "--zone", "Asia/Shanghai")
    document = json.loads(command("alarms", "report", *asked)[1])
    counts = {day["day"]: day["annunciations"] for day in document["days"]}
    assert counts["2026-03-01"] == 20
    assert counts["2026-03-03"] == 10
    assert document["zone"] == "Asia/Shanghai"


def test_the_plants_zone_is_that_of_its_newest_alarm(command: Command, tmp_path: Path) -> None:
    run(told(Story().raises(A, 0, time_zone="Asia/Shanghai")), tmp_path / "known")
    run(told(Story().raises(A, 0, time_zone="Mars/Base")), tmp_path / "unknown")
    for folder, zone in (("known", "Asia/Shanghai"), ("unknown", "UTC")):
        kafka = told(Story().raises(A, 0, time_zone="Asia/Shanghai"))
        kafka.now_ns = at_ns(600)
        run(kafka, tmp_path / folder)
        asked = (*MONTH, "--journal", str(tmp_path / folder), "--json")
        assert json.loads(command("alarms", "report", *asked)[1])["zone"] == zone


def test_grades_and_their_edges() -> None:
    def grade(found: str, count: int) -> Grade:
        story = Story()
        for number in range(count):
            story.raises(name(number % 99), number * 700)
        figures = figures_of(story.performance(end_s=count * 700), Audit(unapproved=1))
        return next(figure.grade for figure in figures if figure.key == found)

    assert grade("peak_10_min", 10) is Grade.GOOD
    assert grade("per_day", 10) is Grade.GOOD
    assert grade("top_ten", 99) is Grade.NONE
    assert grade("top_ten", 100) is Grade.BAD
    assert grade("unapproved", 1) is Grade.BAD
    assert grade("standing", 9) is Grade.GOOD
    assert grade("standing", 10) is Grade.BAD


def test_the_picture_stays_within_its_frame() -> None:
    for end_s in (DAY_S / 2, 5 * DAY_S):
        chart = load_chart(eventful().performance(end_s=end_s))
        assert chart.unit == ("day" if end_s > DAY_S else "hour")
        assert all(0 <= bar.x <= bar.x + bar.width <= 1000 for bar in chart.bars)
        assert all(0 <= bar.y <= 170 for bar in chart.bars)
        assert len(chart.floods) == 1
    assert Stretch(0, 1).shared_ns(5, 7) == 0


def test_hostile_names_stay_text(command: Command, tmp_path: Path) -> None:
    kafka = told(Story().raises(A, 0))
    run(kafka, tmp_path)
    kafka.put(b"</li><script>alert(1)</script>/X", b"{}", 5)
    kafka.now_ns = at_ns(60)
    run(kafka, tmp_path)
    asked = ("--from", "2026-03-01T00:00:00Z", "--to", "2026-03-01T00:01:00Z")
    code, text, _ = command(
        "alarms", "report", *asked, "--journal", str(tmp_path), "--format", "html"
    )
    assert code == 0
    assert "<script" not in text
    assert "1 record could not be read" in text
