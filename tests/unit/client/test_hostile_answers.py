"""Whatever answers in a console's place, a client says so in one line and holds no more of it."""

import io
import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import meltwatch
import numpy as np
import pyarrow as pa
import pytest
from meltwatch import stream, web
from meltwatch.stream import events_of
from meltwatch.table import table_of
from PIL import Image

ARROW = "application/vnd.apache.arrow.stream"
Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def served(answer: Answer) -> Iterator[str]:
    """Give the address of something that answers."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def do_POST(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def telling(
    body: bytes, kind: str = "application/json", status: int = 200, **headers: str
) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        told = {"Content-Type": kind, "Content-Length": str(len(body))}
        for name, value in (told | headers).items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def png(rows: int, columns: int) -> bytes:
    held = io.BytesIO()
    Image.fromarray(np.zeros((rows, columns, 3), np.uint8)).save(held, "PNG")
    return held.getvalue()


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (telling(b"[]", "text/html"), meltwatch.AnswerError, "text/html"),
        (telling(b"{"), meltwatch.AnswerError, "expected JSON"),
        (telling(b"[" * 200_000), meltwatch.AnswerError, "expected JSON"),
        (telling(b"[]"), meltwatch.AnswerError, "expected an object"),
        (telling(b"", status=302, Location="http://127.0.0.1:1/"), meltwatch.RefusedError, "302"),
        (telling(b"<html>", "text/html", 502), meltwatch.RefusedError, "502"),
        (telling(b'{"error": 5}', status=500), meltwatch.RefusedError, "no reason"),
        (
            telling(b'{"error": {"code": "no_token", "message": "a\\u001b[2Jb\\n"}}', status=401),
            meltwatch.RefusedError,
            r"no_token: a\?\[2Jb\?$",
        ),
    ],
)
def test_what_is_no_answer_is_one_line(answer, error, said):
    with (
        served(answer) as address,
        meltwatch.connect(address) as plant,
        pytest.raises(error, match=said) as refused,
    ):
        plant.me()
    assert "\n" not in str(refused.value)


def test_an_answer_without_end_is_not_held(monkeypatch):
    monkeypatch.setattr(web, "MAX_ANSWER", 100_000)
    with (
        served(telling(b" " * 2_000_000)) as address,
        meltwatch.connect(address) as plant,
        pytest.raises(meltwatch.AnswerError, match="at most 100000 bytes"),
    ):
        plant.me()


def test_a_packed_answer_is_not_unpacked():
    import gzip  # noqa: PLC0415

    packed = gzip.compress(b"{}" + b" " * 10_000_000)
    answer = telling(packed, **{"Content-Encoding": "gzip"})
    with (
        served(answer) as address,
        meltwatch.connect(address) as plant,
        pytest.raises(meltwatch.AnswerError, match="expected JSON"),
    ):
        plant.me()


@pytest.mark.parametrize("cut", [0, 10, 200])
def test_a_damaged_table_is_refused(cut):
    sink = io.BytesIO()
    table = pa.table({"id": ["a", "b"], "at": [1, 2]})
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)

    assert table_of(sink.getvalue()).rows() == table.to_pylist()
    with pytest.raises(meltwatch.AnswerError, match="Arrow stream"):
        table_of(sink.getvalue()[:cut])


@pytest.mark.parametrize(
    ("body", "said"),
    [(b"GIF89a", "expected a PNG"), (png(8, 5_000), "5000"), (png(8, 8)[:40], "expected a PNG")],
)
def test_a_picture_that_is_none_is_refused(body, said):
    told = json.dumps({"frames": [{"partition": 0, "offset": 1, "event_ns": "5"}]}).encode()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        is_picture = ".png" in handler.path
        telling(body if is_picture else told, "image/png" if is_picture else "application/json")(
            handler
        )

    with (
        served(answer) as address,
        meltwatch.connect(address) as plant,
        pytest.raises(meltwatch.AnswerError, match=said),
    ):
        plant.frames("a/b/c")


@pytest.mark.parametrize(
    "place", [{}, {"partition": "../x"}, {"partition": 0, "offset": 1, "event_ns": "-1"}, 5]
)
def test_a_place_that_is_none_is_not_asked_for(place):
    asked = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.path)
        telling(json.dumps({"frames": [place]}).encode())(handler)

    with (
        served(answer) as address,
        meltwatch.connect(address) as plant,
        pytest.raises(meltwatch.AnswerError, match="expected"),
    ):
        plant.frames("a/b/c")
    assert len(asked) == 1


def test_nobody_there_is_said_in_a_line():
    with (
        meltwatch.connect("http://127.0.0.1:1") as plant,
        pytest.raises(meltwatch.UnreachableError, match=r"expected a console at http://127") as e,
    ):
        plant.me()
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("address", ["127.0.0.1:80", "ftp://x", "http://u:p@x", "http://x?y", ""])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(ValueError, match="expected http"):
        meltwatch.connect(address)


def test_the_token_goes_with_every_request():
    told = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        told.append(handler.headers["Authorization"])
        telling(b"{}")(handler)

    with served(answer) as address, meltwatch.connect(address, token="secret") as plant:  # noqa: S106
        plant.me()
    assert told == ["Bearer secret"]


def test_a_refused_command_says_why_and_what_the_alarm_is_now():
    said = {"error": {"code": "stale", "message": "it has changed"}, "newest": {"state": "UNACK"}}
    with (
        served(telling(json.dumps(said).encode(), status=409)) as address,
        meltwatch.connect(address) as plant,
        pytest.raises(meltwatch.RefusedError) as refused,
    ):
        plant.acknowledge("a/b/c/OVERHEAT", seen="0" * 32)
    assert (refused.value.code, refused.value.newest) == ("stale", {"state": "UNACK"})


def test_events_are_read_in_whatever_parts_they_come():
    text = (
        b'event: snapshot\nid: r.1\ndata: {"a":\ndata: 1}\n\n:\n\n'
        b"id: r.2\r\nevent: alarm\r\ndata: 2\r\n\r\n"
    )
    for size in (1, 7, len(text)):
        parts = [text[at : at + size] for at in range(0, len(text), size)]
        found = [(each.event, each.data, each.id) for each in events_of(parts)]
        assert found == [("snapshot", {"a": 1}, "r.1"), ("alarm", 2, "r.2")]


@pytest.mark.parametrize("part", [b"data: " + b"x" * 1_000, b"data: 1\n"])
def test_an_event_without_end_is_not_held(monkeypatch, part):
    monkeypatch.setattr(stream, "MAX_EVENT", 10_000)
    with pytest.raises(meltwatch.AnswerError, match="at most 10000"):
        list(events_of(part for _ in range(100_000)))


def test_the_stream_goes_on_where_it_was_lost(monkeypatch):
    monkeypatch.setattr(stream, "_FIRST_PAUSE_S", 0.01)
    asked: list[str | None] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.headers["Last-Event-ID"])
        if len(asked) == 2:
            telling(b'{"error": {"code": "kafka_away", "message": "x"}}', status=503)(handler)
            return
        number = len(asked)
        telling(f"id: r.{number}\ndata: {number}\n\n".encode(), "text/event-stream")(handler)

    with served(answer) as address, meltwatch.connect(address) as plant:
        found = [change.data for change, _ in zip(plant.follow(), range(3), strict=False)]
    assert found == [1, 3, 4]
    assert asked[:4] == [None, "r.1", "r.1", "r.3"]


def test_a_stream_that_is_refused_or_stays_away_ends(monkeypatch):
    monkeypatch.setattr(stream, "_FIRST_PAUSE_S", 0.01)
    refused = telling(b'{"error": {"code": "bad_token", "message": "expired"}}', status=401)
    with (
        served(refused) as address,
        meltwatch.connect(address) as plant,
        pytest.raises(meltwatch.RefusedError, match="expired"),
    ):
        next(plant.follow())
    with (
        meltwatch.connect("http://127.0.0.1:1") as plant,
        pytest.raises(meltwatch.UnreachableError, match="gave up after 0 s"),
    ):
        next(plant.follow(patience_s=0))


@pytest.mark.parametrize(("package", "ask"), [("pandas", "to_pandas"), ("polars", "to_polars")])
def test_what_is_not_installed_is_named(monkeypatch, package, ask):
    table = meltwatch.ArrowTable(pa.table({"a": [1]}))
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(meltwatch.MissingPackageError, match=rf"meltwatch-client\[{package}\]"):
        getattr(table, ask)()


@pytest.mark.parametrize("at", ["2026-11-29T14:00:00", "soon"])
def test_a_time_needs_a_zone(at):
    with (
        meltwatch.connect("http://127.0.0.1:1") as plant,
        pytest.raises(ValueError, match=r"time|iso"),
    ):
        plant.scores("a/b/c", at)
