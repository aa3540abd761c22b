"""A test from outside: brings its own furnace, reads windows, alarms and dead letters back.

Knows the contract and none of the product's code. Needs a run (``meltwatch run --sources none``)
in the folder that ``MELTWATCH_STATE_DIR`` names, and prints one line per check; the exit code is
0 if all hold, else 1.
"""

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import contract
import msgpack
import redis
from broker import LIMIT_S, Broker, Report, wait_for
from contract import HOP_NS, JSON, Furnace, S
from verdicts import check_alarm, check_redis, check_statuses, check_windows

Headers = list[tuple[str, bytes]]
BadRecord = tuple[str, str, bytes, bytes, Headers]
"""The error that it must have, topic, key, value, headers."""

BACKFILL_S = 130
LIVE_WINDOWS = 6
PIECE_NS = 2 * S
"""What the two topics may be apart while the past is sent: less than the idle gap of 5 s."""


def main() -> int:
    """Run all checks."""
    report = Report()
    status = find_run(report)
    if status is None:
        return 1
    broker = Broker(status["kafka"], status["topic_prefix"])
    try:
        Visit(report, broker, status).run()
    finally:
        broker.close()
    print(f"{report.failures} checks failed" if report.failures else "all checks hold")
    return 1 if report.failures else 0


def find_run(report: Report) -> dict[str, Any] | None:
    """Ask ``meltwatch status --json`` where everything is."""
    beside = Path(sys.executable).with_name("meltwatch")
    program = str(beside) if beside.exists() else "meltwatch"
    result = subprocess.run(
        [program, "status", "--json"], capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        report.check("status --json", f"exit code {result.returncode}: {result.stderr.strip()}")
        return None
    status = dict(json.loads(result.stdout))
    keys = {"kafka", "redis", "triton", "console", "topic_prefix", "ready", "services"}
    report.equal("status has the fields of the contract", keys - status.keys(), set())
    report.equal("the run is ready", status["ready"], True)
    return status


class Visit:
    """One visit: a furnace, its alarm, and records that must be refused."""

    def __init__(self, report: Report, broker: Broker, status: dict[str, Any]) -> None:
        self.report, self.broker, self.status = report, broker, status
        start_ns = time.time_ns() - BACKFILL_S * S
        self.furnace = Furnace(f"stranger/{uuid.uuid4().hex[:8]}/F-1", start_ns)
        self.alarm_id = f"{self.furnace.furnace_id}/OVERHEAT"
        self.sent_until_ns = start_ns
        self.written: dict[str, list[Any]] = {"embedding": [], "current": []}

    def run(self) -> None:
        """Do everything in order."""
        self.report.equal("own basis", self.furnace.encoder_id, contract.ENCODER_ID)
        self._check_partition_counts()
        point = contract.alarm_point(self.alarm_id)
        typed = contract.headers("alarm-point/1.0", JSON)
        self.broker.send("alarm-points", self.alarm_id.encode(), point, typed, time.time_ns())
        self.broker.flush()
        time.sleep(1)  # the point shall be known before the first verdict
        self._send_the_past()
        self._follow_windows()
        self._acknowledge()
        self._send_bad_records()
        self._send_late_record()
        check_statuses(self.report, self.furnace, self._windows())
        beats = wait_for(lambda: self.broker.records["heartbeats"], self.live)
        fields = json.loads(beats[-1].value).keys() if beats else set()
        missing = {"service", "epoch", "seq", "active_alarms", "at"} - fields
        self.report.equal("heartbeats come and have their fields", missing, set())

    def live(self) -> None:
        """Send what has fallen due by now and read what has come."""
        self._send_until(time.time_ns())
        self.broker.collect()

    def _check_partition_counts(self) -> None:
        counts = {self.broker.partitions[name] for name in ("embeddings", "currents", "scores")}
        self.report.equal("input topics and scores have one partition count", len(counts), 1)

    def _send_the_past(self) -> None:
        present_ns = time.time_ns()
        while self.sent_until_ns < present_ns:
            self._send_until(min(present_ns, self.sent_until_ns + PIECE_NS))
            self.broker.flush()
        self.broker.collect()

    def _send_until(self, until_ns: int) -> None:
        for kind, time_ns, fields in self.furnace.messages(until_ns):
            self.written[kind].append(self._send(kind, time_ns, fields))
        self.sent_until_ns = until_ns

    def _send(self, kind: str, time_ns: int, fields: dict[str, Any]) -> Any:
        value = contract.packed(fields | {"ingest_time_ns": time.time_ns()})
        typed = contract.headers(f"{kind}/1.0")
        return self.broker.send(f"{kind}s", self.furnace.key, value, typed, time_ns)

    def _windows(self) -> list[dict[str, Any]]:
        records = self.broker.of("scores", self.furnace.furnace_id)
        return [msgpack.unpackb(record.value) for record in records]

    def _follow_windows(self) -> None:
        """Wait until the past has been judged and some windows were judged live."""
        live_from_ns = time.time_ns() + (LIVE_WINDOWS - 1) * HOP_NS

        def judged() -> bool:
            windows = self._windows()
            return bool(windows) and windows[-1]["window_end_ns"] >= live_from_ns

        arrived = wait_for(judged, self.live)
        self.report.check("windows are judged live", None if arrived else "none came")
        self.broker.flush()
        check_windows(self.report, self.broker, self.furnace, self.written)

        def is_young() -> bool:
            windows = self._windows()
            return bool(windows) and time.time_ns() - windows[-1]["window_end_ns"] <= 10 * S

        self.report.equal("the newest window is young", wait_for(is_young, self.live), True)

    def _acknowledge(self) -> None:
        raised = wait_for(lambda: self.broker.of("alarms", self.alarm_id), self.live)
        if not raised:
            self.report.check("the alarm is raised", "no record came")
            return
        record = check_alarm(self.report, raised, self.alarm_id)
        self._wait_for_view(record)
        check_redis(self.report, self.status, self.alarm_id, record, {"unacked": True})
        self._ask("ack", record["event_id"], "done", "ok")

        def acked() -> Any:
            records = [json.loads(r.value) for r in self.broker.of("alarms", self.alarm_id)]
            return next((r for r in records if r["state"] == "ACKED"), None)

        record = wait_for(acked, self.live)
        self.report.equal("the alarm is ACKED by us", record and record["ack_by"], "stranger")
        if record:
            self._wait_for_view(record)
            check_redis(self.report, self.status, self.alarm_id, record, {"unacked": False})
        self._ask("a second ack of the old event", f"{0:032x}", "refused", "stale")

    def _wait_for_view(self, record: dict[str, Any]) -> None:
        """Wait until the view, which follows the topic, has come to a record."""
        key = f"{self.status['topic_prefix']}:alarm:{self.alarm_id}"
        with redis.Redis.from_url(self.status["redis"], decode_responses=True) as view:
            wait_for(lambda: view.hget(key, "seq") == str(record["seq"]), self.live)

    def _ask(self, name: str, event_id: str, result: str, code: str) -> None:
        command_id, key = str(uuid.uuid4()), self.alarm_id.encode()
        value = contract.command(self.alarm_id, command_id, event_id, time.time_ns())
        typed = contract.headers("alarm-command/1.0", JSON)
        self.broker.send("alarm-commands", key, value, typed, time.time_ns())

        def answer() -> Any:
            answers = self.broker.of("alarm-results", self.alarm_id)
            found = [json.loads(record.value) for record in answers]
            return next((each for each in found if each["command_id"] == command_id), None)

        answered = wait_for(answer, self.live) or {}
        found = (answered.get("result"), answered.get("code"))
        self.report.equal(f"{name} is answered", found, (result, code))

    def _send_bad_records(self) -> None:
        """Send one record of each kind that must end among the dead letters, unchanged."""
        for bad in (*self._bad_inputs(time.time_ns()), *self._bad_wishes()):
            _, topic, key, value, headers = bad
            sent = self.broker.send(topic, key, value, headers, time.time_ns())
            self._expect_dead_letter(bad, sent.get(timeout=LIMIT_S))

    def _bad_inputs(self, now_ns: int) -> Iterator[BadRecord]:
        pack, key = contract.packed, self.furnace.key
        frame = self.furnace.embedding(now_ns) | {"ingest_time_ns": now_ns}
        sample = self.furnace.current(now_ns) | {"ingest_time_ns": now_ns}
        typed, currents = contract.headers("embedding/1.0"), contract.headers("current/1.0")
        unlike = contract.headers("current/2.0")
        early = {"ingest_time_ns": now_ns - 2 * S - 1}
        nan, infinity = b"\x00\x7e" * (64 * 192), b"\x00\x00\x80\x7f" * 6
        frames: list[tuple[str, bytes, Headers]] = [
            ("too_large", bytes(256 * 1024 + 1), typed),
            ("unknown_schema", pack(frame), typed[1:]),
            ("malformed", pack(frame)[:-1], typed),
            ("contract_violation", pack(frame | {"dims": 191}), typed),
            ("non_finite", pack(frame | {"data": nan}), typed),
            ("future_event_time", pack(frame | early), typed),
            ("unexpected_source", pack(frame | {"source_id": "other"}), typed),
            ("unknown_encoder", pack(frame | {"encoder_id": "pca-192-0123456789ab"}), typed),
        ]
        samples: list[tuple[str, bytes, Headers]] = [
            ("unknown_schema", pack(sample), unlike),
            ("malformed", pack(sample | {"count": "2"}), currents),
            ("contract_violation", pack(sample | {"period_ns": 0}), currents),
            ("non_finite", pack(sample | {"data": infinity}), currents),
            ("unexpected_source", pack(sample | {"source_id": "other"}), currents),
        ]
        yield from ((error, "embeddings", key, value, given) for error, value, given in frames)
        yield from ((error, "currents", key, value, given) for error, value, given in samples)

    def _bad_wishes(self) -> Iterator[BadRecord]:
        key, commands = self.alarm_id.encode(), contract.headers("alarm-command/1.0", JSON)
        points = contract.headers("alarm-point/1.0", JSON)
        yield "unknown_schema", "alarm-commands", key, b"{}", points
        yield "malformed", "alarm-commands", key, b'{"a": NaN}', commands
        yield "malformed", "alarm-points", key, b'{"alarm_id": 5}', points

    def _expect_dead_letter(self, bad: BadRecord, place: Any) -> None:
        error, topic, key, value, headers = bad
        expected = {
            "dlq.topic": self.broker.topic(topic),
            "dlq.partition": str(place.partition),
            "dlq.offset": str(place.offset),
            "dlq.timestamp": str(place.timestamp),
            "dlq.error": error,
        }
        source = ("dlq.topic", "dlq.partition", "dlq.offset")

        def letter() -> Any:
            for record in self.broker.of("dead-letters", key.decode()):
                said = {name: text.decode() for name, text in record.headers if text is not None}
                if all(said.get(name) == expected[name] for name in source):
                    return record, said
            return None

        name = f"{error} in {topic}"
        found = wait_for(letter, self.live)
        if found is None:
            self.report.check(name, "no dead letter came")
            return
        record, said = found
        self.report.equal(name, {name: said.get(name) for name in expected}, expected)
        kept = record.value == value and record.headers[: len(headers)] == headers
        whole = kept and bool(said.get("dlq.service")) and bool(said.get("dlq.detail"))
        self.report.equal(f"{name}: bytes and headers kept, service and detail said", whole, True)

    def _send_late_record(self) -> None:
        """Send a frame of a minute ago: it must be copied, once, to its partition of ``late``."""
        late_ns = time.time_ns() - 60 * S
        sent = self._send("embedding", late_ns, self.furnace.embedding(late_ns)).get(
            timeout=LIMIT_S
        )

        def copies() -> list[Any]:
            found = self.broker.of("late", self.furnace.furnace_id)
            return [r for r in found if _event_time(r) == late_ns]

        wait_for(copies, self.live)
        time.sleep(1)
        self.live()
        places = [record.partition for record in copies()]
        self.report.equal(
            "a late record is copied once, to its partition", places, [sent.partition]
        )


def _event_time(record: Any) -> int:
    times = msgpack.unpackb(record.value)["event_times_ns"]
    return int.from_bytes(times[:8], "little")


if __name__ == "__main__":
    sys.exit(main())
