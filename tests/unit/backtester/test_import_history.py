"""A historian's export becomes a recording: whatever is written, a value is its own or none."""

import csv
import io
import json
import math
import re
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_backtester.adapters.history_tables import MAX_LINE
from meltwatch_backtester.adapters.recording_history import open_recording
from meltwatch_backtester.commands.import_history import ImportTarget, TableOptions, import_history
from meltwatch_backtester.domain.question import Cuts
from meltwatch_backtester.ports import TopicPart
from meltwatch_chassis.errors import BadUsage
from meltwatch_schemas.current import CurrentChunk
from meltwatch_schemas.record import read_current
from meltwatch_schemas.score import Modality
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_MS, NS_PER_S, PUBLISHED_SPEC

from tests.support.examples import examples
from tests.support.murmur2 import partition_of
from tests.unit.backtester.pipeline.past import replay

FURNACE = "plant/hall/F1"
BEGIN_NS = 1_764_400_000 * NS_PER_S
PERIOD_NS = PUBLISHED_SPEC.sample_period_ns
PART = TopicPart(Topic.CURRENTS, partition_of(FURNACE.encode(), 12))
BERLIN = ZoneInfo("Europe/Berlin")


def imported(content, options=None, name="csv"):
    """Import text or bytes, and give exit code, summary and records."""
    with TemporaryDirectory() as folder, redirect_stdout(io.StringIO()) as said:
        file, out = Path(folder, "export"), Path(folder, "out")
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        code = import_history(
            f"{name}:{file}",
            furnace=FURNACE,
            target=ImportTarget(out),
            options=options or TableOptions(),
            as_json=True,
        )
        return code, json.loads(said.getvalue()), chunks_of(out)


def tried(content, options=None):
    """Import, or give what was said instead."""
    try:
        return imported(content, options)
    except BadUsage as error:
        return str(error)


def chunks_of(folder) -> list[CurrentChunk]:
    history = open_recording(folder)
    return [read_current(record) for record in history.read(PART, *history.bounds(PART))]


def points(chunks) -> dict[int, list[float]]:
    return {
        time: row.tolist()
        for chunk in chunks
        for time, row in zip(chunk.event_times_ns.tolist(), chunk.data, strict=True)
    }


def rfc3339(time_ns):
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_ns // 1000)).isoformat()


def table(rows, head="time,a,b,c"):
    return "\n".join([head, *(",".join(map(str, row)) for row in rows)]) + "\n"


SHAPES = {
    "rfc3339": (rfc3339, {}),
    "milliseconds": (lambda ns: str(ns // NS_PER_MS), {}),
    "seconds": (lambda ns: f"{ns // NS_PER_MS / 1000:.3f}", {}),
    "german": (
        lambda ns: datetime.fromtimestamp(ns / 1e9, BERLIN).strftime("%d.%m.%Y %H:%M:%S.%f"),
        {"time_format": "%d.%m.%Y %H:%M:%S.%f", "zone": "Europe/Berlin"},
    ),
}
VALUES = st.none() | st.integers(-20_000, 90_000).map(lambda n: n / 8)
ROWS = st.lists(
    st.tuples(st.integers(1, 12_000), st.tuples(VALUES, VALUES, VALUES)), min_size=1, max_size=25
)


def expected(rows, hold_ns):
    """What each point must show, by brute force: the newest row at or before it, if not too old."""

    def at(point):
        told = [row for row in rows if row[0] <= point]
        if not told or point - told[-1][0] > hold_ns:
            return [math.nan] * 3
        return [math.nan if value is None else value for value in told[-1][1]]

    return at


@examples(60)
@given(
    ROWS,
    st.tuples(st.sampled_from(sorted(SHAPES)), st.booleans()),
    st.tuples(
        st.sampled_from([",", ";", "\t"]),
        st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
        st.sampled_from(["\n", "\r\n"]),
    ),
)
def test_a_point_shows_the_newest_row_in_whatever_shape_it_was_written(rows, shaped, coded):
    (shape, comma), (mark, coding, end) = shaped, coded
    write, told = SHAPES[shape]
    at_ns, timed = BEGIN_NS, []
    for step_ms, values in rows:
        at_ns += step_ms * NS_PER_MS
        timed.append((at_ns, values))
    if all(value is None for _, values in timed for value in values):
        timed[0] = (timed[0][0], (1.0, None, None))
    text = io.StringIO()
    writer = csv.writer(text, delimiter=mark, lineterminator=end)
    writer.writerow(["Zeit", "I_1", "I_2", "I_3", "note"])
    for time_ns, values in timed:
        numbers = ["" if value is None else str(value) for value in values]
        numbers = [number.replace(".", ",") if comma else number for number in numbers]
        writer.writerow([write(time_ns), *numbers, "a, b; c"])

    options = TableOptions("Zeit", ("I_1", "I_2", "I_3"), decimal_comma=comma, **told)
    result = tried(text.getvalue().encode(coding), options)
    at = expected(timed, 2 * NS_PER_S)
    if isinstance(result, str):
        begin, end = timed[0][0], timed[-1][0]
        first = begin + (PUBLISHED_SPEC.phase_ns(FURNACE) - begin) % PERIOD_NS
        valued = [np.isfinite(at(point)).any() for point in range(first, end + 1, PERIOD_NS)]
        assert sum(valued) <= 2, result  # less than one record
        return

    code, summary, chunks = result
    assert (code, summary["refused"]) == (0, 0)
    assert summary["samples"] == len(timed)
    shown = points(chunks)
    # Records begin with the first value, and with a whole record.
    begin = next(time for time, row in timed if any(value is not None for value in row))
    for time_ns, row in shown.items():
        assert np.array_equal(row, np.float32(at(time_ns)), equal_nan=True)
    for time_ns, values in timed:
        point = PUBLISHED_SPEC.phase_ns(FURNACE) % PERIOD_NS
        first = time_ns + (point - time_ns) % PERIOD_NS
        has_value = any(value is not None for value in at(first) if not math.isnan(value))
        if has_value and first + 2 * PERIOD_NS < timed[-1][0] and first > begin + 2 * PERIOD_NS:
            assert first in shown, values
    seqs = [chunk.identity.seq for chunk in chunks]
    assert seqs == list(range(0, 2 * len(chunks), 2))


CELLS = st.text(
    st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=12
) | st.sampled_from(
    ["1764400000", "1764400001", "5", "nan", "inf", "1e999", '"', '"5', "9" * 70, "\x00", "\uff15"]
)


@examples(150)
@given(st.lists(st.lists(CELLS, max_size=5), max_size=8), st.binary(max_size=40))
def test_whatever_a_file_holds_each_row_is_a_sample_or_counted(rows, rubbish):
    content = "time,a,b,c\n" + "\n".join(",".join(row) for row in rows) + "\n1764400000,1,2,3\n"
    content += "1764400009,1,2,3\n"
    result = tried(content.encode() + rubbish)
    if isinstance(result, str):
        assert result.isprintable()
        return

    code, summary, chunks = result
    counted = sum(summary[name] for name in ("samples", "repeated", "backward", "refused"))
    lines = re.split("\n|\r\n|\r", (content.encode() + rubbish).decode(errors="replace"))
    assert counted == sum(bool(line.strip()) for line in lines[1:])
    assert code == (1 if summary["refused"] or summary["backward"] else 0)
    assert all(each["why"].isprintable() for each in summary["refusals"])
    for chunk in chunks:
        assert (np.isnan(chunk.data) | (np.abs(chunk.data) <= 1e9)).all()


def test_rows_that_cannot_be_used_are_named_by_line_and_counted():
    content = table(
        [(rfc3339(BEGIN_NS), 1, 2, 3), (rfc3339(BEGIN_NS), 9, 9, 9), ("yesterday", 1, 2, 3),
         (rfc3339(BEGIN_NS - NS_PER_S), 9, 9, 9), (rfc3339(BEGIN_NS + NS_PER_S), "Bad", 2, 3),
         (rfc3339(BEGIN_NS + 2 * NS_PER_S), 1, 2), ("2026-01-01 00:00:00", 1, 2, 3),
         (rfc3339(BEGIN_NS + 3 * NS_PER_S), 1, 2, "2e9"),
         (rfc3339(BEGIN_NS + 9 * NS_PER_S), 4, 5, 6)]
    )  # fmt: skip

    code, summary, _ = imported(content)

    assert code == 1
    assert [summary[name] for name in ("samples", "repeated", "backward", "refused")] == [
        2,
        1,
        1,
        5,
    ]
    assert [each["line"] for each in summary["refusals"]] == [3, 4, 5, 6, 7, 8, 9]
    said = [each["why"] for each in summary["refusals"]]
    assert "expected an RFC 3339 time or a number since 1970, got 'yesterday'" in said
    assert "expected a number with a decimal '.', got 'Bad'" in said
    assert "expected a time with its zone, or --zone" in said


def test_one_time_far_ahead_is_told_by_the_exit_code_and_by_each_row_behind_it():
    rows = [(1_764_400_000 + s, 1, 2, 3) for s in range(9)]
    rows[4] = (9_000_000_000, 1, 2, 3)

    code, summary, _ = imported(table(rows))

    assert (code, summary["samples"], summary["backward"]) == (1, 5, 4)
    assert summary["refusals"][0]["line"] == 7


def test_the_hour_that_october_repeats_is_there_twice_and_the_one_march_leaps_never():
    options = TableOptions(zone="Europe/Berlin")
    october = [f"2026-10-25 02:{minute:02}:00" for minute in (0, 20, 40, 59)]
    rows = [(each, n, n, n) for n, each in enumerate([*october, *october])]

    _, summary, _ = imported(table([*rows, ("2026-10-25 03:00:00", 9, 9, 9)]), options)

    assert (summary["samples"], summary["backward"], summary["refused"]) == (9, 0, 0)
    assert summary["from"].startswith("2026-10-25T00:00:00")
    assert summary["to"].startswith("2026-10-25T01:59:59")
    march = table([("2026-03-29 01:59:59", 1, 1, 1), ("2026-03-29 02:30:00", 2, 2, 2),
                   ("2026-03-29 03:00:09", 3, 3, 3)])  # fmt: skip
    _, summary, _ = imported(march, options)
    assert "clocks leapt over 2026-03-29T02:30:00" in summary["refusals"][0]["why"]


def test_after_a_look_back_without_a_value_nothing_is_sent_until_the_next():
    day = 86_400
    rows = [(1_764_400_000 + s, 1, 2, 3) for s in range(10)]
    rows += [(1_764_400_000 + day + s, 1, 2, 3) for s in range(10)]

    _, _, chunks = imported(table(rows))

    times = np.array([chunk.last_event_ns for chunk in chunks])
    gaps = np.diff(times) / NS_PER_S
    assert gaps.min() == 1
    assert len(chunks) < 200
    assert [gap for gap in gaps if gap > 1] == [pytest.approx(day - 130, abs=5)]


async def test_what_was_imported_is_replayed_by_event_time(tmp_path):
    (tmp_path / "t").write_text(table([(1_764_400_000 + s, s, 2, 3) for s in range(180)]))
    import_history(
        f"csv:{tmp_path}/t", furnace=FURNACE, target=ImportTarget(tmp_path / "o", partitions=1)
    )
    history = open_recording(tmp_path / "o")

    _, noted = await replay(
        SimpleNamespace(history=lambda: history), span=history.saved.span, cuts=Cuts.EVENT_TIME
    )

    assert len(noted.scores) >= 120
    assert noted.scores[-1].modalities == (Modality.CURRENT,)
    assert noted.scores[-1].current_coverage == 1


def test_the_same_file_gives_the_same_bytes(tmp_path):
    rows = [(1_764_400_000 + s, s, 2, 3) for s in range(50)]
    (tmp_path / "t").write_text(table(rows))
    for name in ("one", "two"):
        import_history(f"csv:{tmp_path}/t", furnace=FURNACE, target=ImportTarget(tmp_path / name))
    files = sorted(f.relative_to(tmp_path / "one") for f in (tmp_path / "one").rglob("*.*"))
    assert len(files) == 2
    assert all(
        (tmp_path / "one" / f).read_bytes() == (tmp_path / "two" / f).read_bytes() for f in files
    )


@pytest.mark.parametrize(
    ("time", "options"),
    [
        ("TIMESTAMPTZ '2025-11-29 07:06:40+00' + to_seconds(n)", {}),
        ("TIMESTAMP '2025-11-29 08:06:40' + to_seconds(n)", {"zone": "Europe/Berlin"}),
        ("1764400000000 + n * 1000", {}),
        ("strftime(TIMESTAMP '2025-11-29 07:06:40' + to_seconds(n), '%Y-%m-%dT%H:%M:%SZ')", {}),
    ],
)
def test_parquet_is_read_as_csv_is(tmp_path, time, options):
    file = tmp_path / "export.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            f'COPY (SELECT {time} AS "t", 6000.5 + n AS "I [A]", CAST(7000 AS FLOAT) AS b, '  # noqa: S608
            "CASE WHEN n = 3 THEN NULL ELSE CAST(n AS DECIMAL(9, 2)) END AS c "
            "FROM range(20) s(n)) "
            f"TO '{file}' (FORMAT parquet)"
        )

    told = TableOptions("t", ("I [A]", "b", "c"), **options)
    code, summary, chunks = imported(file.read_bytes(), told, name="parquet")

    assert (code, summary["samples"]) == (0, 20)
    shown = points(chunks)
    time_ns = min(shown)
    assert BEGIN_NS <= time_ns < BEGIN_NS + NS_PER_S
    row = shown[next(t for t in shown if BEGIN_NS + 4 * NS_PER_S <= t < BEGIN_NS + 4.5 * NS_PER_S)]
    assert row == [6004.5, 7000.0, 4.0]
    missing = shown[
        next(t for t in shown if BEGIN_NS + 3 * NS_PER_S <= t < BEGIN_NS + 3.5 * NS_PER_S)
    ]
    assert math.isnan(missing[2])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("csv", "time,a,b\n1,2,3\n", "expected one column 'c', got time, a, b"),
        ("csv", "time,a,a,b,c\n", "expected one column 'a'"),
        ("csv", "", "expected one column 'time'"),
        ("csv", "time,a,b,c\n", "expected currents, got none"),
        ("csv", "time,a,b,c\nx,1,2,3\n", "got none; line 2: expected an RFC 3339 time"),
        ("csv", f"time,a,b,c\n{'9' * (MAX_LINE + 1)}", "export:2: expected at most"),
        ("csv", b"\xff\xfe\x00", "expected one column"),
        ("parquet", b"PAR1 and nothing like it", "expected Parquet, got"),
        ("xlsx", "", "expected csv:FILE or parquet:FILE"),
    ],
)
def test_what_is_no_table_is_one_line(name, content, said):
    with pytest.raises(BadUsage) as caught:
        imported(content, name=name)

    assert said in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_file_that_is_none_a_zone_that_nobody_knows_and_a_wrong_furnace(tmp_path):
    with pytest.raises(BadUsage, match="expected a file"):
        import_history(f"csv:{tmp_path}", furnace=FURNACE, target=ImportTarget(tmp_path / "o"))
    (tmp_path / "t").write_text(table([]))
    with pytest.raises(BadUsage, match="--zone: "):
        import_history(
            f"csv:{tmp_path}/t", furnace=FURNACE, target=ImportTarget(tmp_path / "o"),
            options=TableOptions(zone="Mars/Olympus"),
        )  # fmt: skip
    with pytest.raises(BadUsage, match="--furnace: "):
        import_history(f"csv:{tmp_path}/t", furnace="a//b", target=ImportTarget(tmp_path / "o"))


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (ImportTarget(), "expected --output DIR or --replay NAME"),
        (ImportTarget(Path("o"), replay="R"), "expected --output DIR or --replay NAME"),
        (ImportTarget(replay="R", partitions=3), "--partitions: expected none beside --replay"),
        (ImportTarget(replay="../alarms"), "--replay: expected a name of "),
        (ImportTarget(replay=""), "--replay: expected a name of "),
    ],
)
def test_a_target_that_is_none_is_one_line(tmp_path, monkeypatch, target, said):
    monkeypatch.setenv("MELTWATCH_KAFKA", "127.0.0.1:1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t").write_text(table([]))
    with pytest.raises(BadUsage) as caught:
        import_history("csv:t", furnace=FURNACE, target=target)
    assert str(caught.value).startswith(said)
    assert not (tmp_path / "o").exists()
