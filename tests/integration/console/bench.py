"""A real console as a process, and a forge of alarms: what a manager writes, without its rules."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from kafka import KafkaProducer
from meltwatch_chassis.clock import SystemClock
from meltwatch_schemas.alarm import SEVERITY, AlarmRecord, Heartbeat, Priority
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.json_message import KeyedMessage
from meltwatch_schemas.record import JSON, headers_for
from meltwatch_schemas.topics import Topic
from meltwatch_schemas.window import NS_PER_S

from tests.integration.alarm_manager.bench import RUN, ManagerProcess
from tests.support.builders import alarm_record
from tests.support.waiting import LIMIT_S, until
from tests.support.warm_program import WarmProgram

_BEAT_S = 3.0


def warm_console() -> WarmProgram:
    """Return what begins consoles warm."""
    return WarmProgram("import meltwatch_console.bootstrap, uvicorn")


class ConsoleProcess(ManagerProcess):
    """``python -m meltwatch_console`` on a free port; its log goes to a file.

    Parameters
    ----------
    log
        Where standard error goes; appended to.
    environ
        Settings, without the prefix of their variables.
    """

    program = RUN.format("meltwatch_console")

    def __init__(self, log: Path, **environ: str) -> None:
        super().__init__(log, **({"console_address": "127.0.0.1:0"} | environ))
        self.log = log

    @property
    def url(self) -> str:
        """Address of the page, once it is served."""
        found = until(lambda: self.log_lines("console_served"), self.log.read_text)
        return str(found[-1]["address"])

    def ask(
        self, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Ask for a page, or send JSON as the page does; return status and what was answered."""
        told = {} if body is None else {"Content-Type": "application/json", "X-Meltwatch": "1"}
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data, {**told, **(headers or {})})  # noqa: S310 - of ours
        try:
            with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:  # noqa: S310 - of ours
                return answer.status, _parsed(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _parsed(error.read())

    def wait_live(self, headers: Mapping[str, str] | None = None) -> None:
        """Wait until it says that its alarms are live; before, it takes no command."""
        until(
            lambda: self.ask("api/v1/alarms", headers=headers)[1]["link"]["state"] == "live",
            lambda: self.ask("api/v1/alarms", headers=headers),
        )


def _parsed(text: bytes) -> Any:
    with suppress(ValueError):
        return json.loads(text)
    return text.decode(errors="replace")


class AlarmForge:
    """Writes alarm records and heartbeats as an alarm manager would.

    Parameters
    ----------
    address
        Of the broker.
    prefix
        Topic prefix.
    """

    def __init__(self, address: str, prefix: str) -> None:
        self._prefix = prefix
        self._producer = KafkaProducer(bootstrap_servers=address)
        self._seq = 0
        self._ended = threading.Event()
        self._beating: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._beating = threading.Thread(target=self._keep_beating)
        self._beating.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.fall_silent()
        self._producer.close()

    def fall_silent(self) -> None:
        """Give no more signs of life."""
        self._ended.set()
        if self._beating is not None:
            self._beating.join()

    def raised(
        self, alarm_id: str, priority: str = "high", ago_s: float = 5.0, **changes: Any
    ) -> AlarmRecord:
        """Write the record of an alarm that was raised a moment ago, or as told; return it."""
        self._seq += 1
        now = utc_from_ns(SystemClock().now_ns())
        at = utc_from_ns(SystemClock().now_ns() - int(ago_s * NS_PER_S))
        fields = {
            "priority": priority,
            "severity": SEVERITY[Priority(priority)],
            "condition_time": at,
            "raise_time": at,
            "occurrence_id": f"{alarm_id}@{at}",
            "annunciation_id": f"{self._seq:032x}",
            "times": dict.fromkeys(("event", "watermark", "ingest", "scored", "published"), now),
        }
        record = alarm_record(alarm_id, self._seq, **(fields | changes))
        self._send(Topic.ALARMS, alarm_id, record)
        return record

    def state(self, alarm_id: str, state: str, priority: str = "high", **changes: Any) -> None:
        """Write an alarm that is in some state."""
        facts = {
            "state": state,
            "active": state in {"UNACK", "ACKED", "LATUN", "LATAK"},
            "acked": state in {"ACKED", "LATAK"},
            "transition": {"from": "NORM", "to": state, "cause": "RAISE"},
        }
        if facts["acked"]:
            facts |= {"ack_by": "li", "ack_time": utc_from_ns(SystemClock().now_ns())}
        self.raised(alarm_id, priority, **(facts | changes))

    def flush(self) -> None:
        """Wait until all is written."""
        self._producer.flush(LIMIT_S)

    def _keep_beating(self) -> None:
        seq = 0
        while not self._ended.is_set():
            seq += 1
            beat = Heartbeat(
                service="alarm_manager", epoch=1, seq=seq, active_alarms=0,
                at=utc_from_ns(SystemClock().now_ns()),
            )  # fmt: skip
            self._send(Topic.HEARTBEATS, beat.service, beat)
            self._ended.wait(_BEAT_S)

    def _send(self, topic: Topic, key: str, message: KeyedMessage) -> None:
        self._producer.send(
            topic.under(self._prefix), key=key.encode(), value=message.to_json(),
            headers=list(headers_for(message.schema_id, JSON)),
        )  # fmt: skip


def plant_file(folder: Path, furnaces: list[str], **more: Any) -> Path:
    """Write a plant file of furnaces with the default alarm points."""
    file = folder / "plant.yaml"
    told = {"furnaces": [{"id": each, "name": each.rpartition("/")[2]} for each in furnaces]}
    file.write_text(json.dumps(told | more))
    return file
