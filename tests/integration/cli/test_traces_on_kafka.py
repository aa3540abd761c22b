"""``meltwatch traces export``: a foreign collector gets what scores and alarms say."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from meltwatch_chassis.tracing import begin_trace, trace_id
from meltwatch_local_cluster.servers.addresses import LOOPBACK, free_ports
from meltwatch_schemas.record import headers_for
from meltwatch_schemas.score import SCHEMA, encode_score
from meltwatch_schemas.topics import Topic

from tests.support.builders import alarm_record, window_score
from tests.support.source import ROOT
from tests.support.waiting import until

pytestmark = pytest.mark.integration
PROGRAM = ROOT / "tests/foreign/otelcol/otelcol"
CONFIG = """
receivers: {otlp: {protocols: {http: {endpoint: "%s"}}}}
exporters: {debug: {verbosity: detailed, sampling_initial: 100000}}
service:
  telemetry: {metrics: {level: none}}
  pipelines: {traces: {receivers: [otlp], exporters: [debug]}}
"""
SPAN = re.compile(
    r"Trace ID +: (?P<trace>\w+)\n\s+Parent ID +: (?P<parent>\w*)\n\s+ID +: (?P<id>\w+)\n"
    r"\s+Name +: (?P<name>[^\n]+)\n"
)


@dataclass(frozen=True)
class Collector:
    """A collector and what it has printed."""

    url: str
    log: Path

    def spans(self) -> list[dict[str, str]]:
        return [each.groupdict() for each in SPAN.finditer(self.log.read_text())]


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    if not PROGRAM.exists() or shutil.which(PROGRAM) is None:
        pytest.skip(
            "needs a collector: run `go build -o otelcol .` in tests/foreign/otelcol (CI does)"
        )
    (port,) = free_ports(1)
    (tmp_path / "config.yaml").write_text(CONFIG % f"{LOOPBACK}:{port}")
    log = tmp_path / "collector.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [PROGRAM, "--config", tmp_path / "config.yaml"], stdout=output, stderr=output
        )
    try:
        until(
            lambda: "Everything is ready" in log.read_text() or process.poll() is not None,
            log.read_text,
        )
        assert process.poll() is None, log.read_text()
        yield Collector(f"http://{LOOPBACK}:{port}", log)
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
def scores(kafka, topics):
    """Publishes scores as the stream processor does, or what a stranger writes."""
    from kafka import KafkaProducer  # noqa: PLC0415 - an error before pytest is configured

    def send(*contexts: str | None, value: bytes | None = None) -> None:
        with closing(KafkaProducer(bootstrap_servers=kafka.address)) as producer:
            for context in contexts:
                score = window_score()
                headers = headers_for(SCHEMA)
                if context is not None:
                    headers.append(("traceparent", context.encode()))
                producer.send(
                    topics.name(Topic.SCORES),
                    key=score.furnace_id.encode(),
                    value=value or encode_score(score),
                    headers=headers,
                ).get(20)

    return send


@pytest.mark.usefixtures("addressed")
def test_a_windows_way_and_its_alarm_are_one_trace(command, publish, scores, collector):
    context = begin_trace()
    scores(None, context, context[:-2] + "00")
    scores(context, value=b"\xc1")
    publish(alarm_record(traceparent=context))
    export = ("traces", "export", "--to", collector.url, "--from", "1h", "--once")

    code, out, err = command(*export)
    assert (code, out) == (0, "")
    assert "1 record could not be read" in err
    assert err.splitlines()[-1] == f"5 spans sent to {collector.url}"
    spans = until(
        lambda: len(collector.spans()) == 5 and collector.spans(), collector.log.read_text
    )
    named = {span["name"]: span for span in spans}
    assert set(named) == {"window", "join", "score", "publish", "alarm"}
    assert {span["trace"] for span in spans} == {trace_id(context)}
    window = named.pop("window")
    assert (window["id"], window["parent"]) == (context.split("-")[2], "")
    assert {span["parent"] for span in named.values()} == {window["id"]}
    assert "meltwatch.furnace_id: Str(" in collector.log.read_text()

    assert (
        command(*export, "--share", "0")[2].splitlines()[-1] == f"0 spans sent to {collector.url}"
    )


@pytest.mark.usefixtures("addressed")
def test_where_nobody_listens_one_line_says_so(command, scores, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    scores(begin_trace())
    (port,) = free_ports(1)
    code, out, err = command(
        "traces", "export", "--to", f"http://{LOOPBACK}:{port}", "--from", "1h", "--once"
    )
    assert (code, out) == (3, "")
    assert err.count("\n") == 2
    assert err.splitlines()[-1].endswith("does it listen for OTLP over HTTP there?")


@pytest.mark.parametrize(
    "url", ["", "localhost:4318", "http://h/\x1b[31m", "grpc://h:1", "http://u:p@h"]
)
def test_what_is_no_address_is_refused(command, url):
    code, _, err = command("traces", "export", "--to", url)
    assert (code, err.count("\n")) == (2, 1)
    assert "--to: expected http://host:port" in err
