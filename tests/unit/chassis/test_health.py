import socket
import threading
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, suppress

import pytest
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.health import Health, HealthServer
from meltwatch_chassis.metrics import Metrics

GOOD = Health(progress=lambda: None, readiness=lambda: None)
BAD = Health(progress=lambda: None, readiness=lambda: "Kafka: expected an answer, got none")


def get(server: HealthServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{server.address}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_health_readiness_and_metrics_are_told_apart() -> None:
    metrics = Metrics()
    metrics.late.labels("video").inc()

    with HealthServer("127.0.0.1:0", BAD, metrics.registry) as server:
        assert get(server, "/healthz") == (200, "ok\n")
        assert get(server, "/readyz") == (503, "Kafka: expected an answer, got none\n")
        assert 'meltwatch_late_total{modality="video"} 1.0' in get(server, "/metrics")[1]
        assert get(server, "/")[0] == 404


def exchange(address: str, sent: bytes) -> bytes:
    """What comes back for bytes that are sent as they are."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), timeout=5) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def drip(connections: list[socket.socket], stop: threading.Event) -> None:
    """Send a byte of a request that never ends, again and again."""
    while not stop.wait(0.05):
        for connection in connections:
            with suppress(OSError):
                connection.send(b"G")


@pytest.mark.parametrize("count", [50, 200])
def test_clients_that_say_nothing_or_drip_hold_up_nobody(count: int) -> None:
    with HealthServer("127.0.0.1:0", BAD, Metrics().registry) as server, ExitStack() as clients:
        host, _, port = server.address.partition(":")
        connections = [
            clients.enter_context(socket.create_connection((host, int(port)), timeout=5))
            for _ in range(count)
        ]
        stop = threading.Event()
        dripping = threading.Thread(target=drip, args=(connections[::2], stop))
        dripping.start()
        try:
            for path in ("/healthz", "/readyz", "/metrics") * 3:
                began_s = time.monotonic()
                assert get(server, path)[0] in (200, 503)
                assert time.monotonic() - began_s < 1.0
        finally:
            stop.set()
            dripping.join()


def test_a_connection_ends_after_its_time_whatever_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meltwatch_chassis.health._EXCHANGE_S", 0.2)
    with HealthServer("127.0.0.1:0", GOOD, Metrics().registry) as server:
        host, _, port = server.address.partition(":")
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            stop = threading.Event()
            dripping = threading.Thread(target=drip, args=([connection], stop))
            dripping.start()
            try:
                with suppress(ConnectionResetError):
                    assert connection.recv(1) == b""
            finally:
                stop.set()
                dripping.join()


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        (b"GET /healthz?verbose HTTP/1.0\n\n", 200),
        (b"HEAD /healthz HTTP/1.1\r\n\r\n", 200),
        (b"POST /healthz HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 405),
        (b"BREW /healthz HTTP/1.1\r\n\r\n", 405),
        (b"GET /healthz/../metrics HTTP/1.1\r\n\r\n", 404),
        (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + b"X-Long: yes\r\n" * 1_000 + b"\r\n", 400),
        (b"GET /\xff\x00\x1b[2J HTTP/1.1\r\n\r\n", 404),
        (b"GET /healthz HTTP/9\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\n\n", 400),
        (b"\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\n\r\nGET /readyz HTTP/1.1\r\n\r\n\x00garbage", 200),
    ],
)
def test_whatever_is_sent_gets_one_answer(request_: bytes, status: int) -> None:
    with HealthServer("127.0.0.1:0", BAD, Metrics().registry) as server:
        answer = exchange(server.address, request_)

        assert answer.startswith(f"HTTP/1.1 {status} ".encode())
        assert answer.count(b"HTTP/1.1") == 1
        head, _, body = answer.partition(b"\r\n\r\n")
        assert (body == b"") is request_.startswith(b"HEAD")
        assert body.count(b"\n") <= 1
        assert (b"Allow: GET, HEAD" in head) is (status == 405)
        assert get(server, "/healthz") == (200, "ok\n")


def test_half_a_request_and_none_leave_nothing_behind() -> None:
    with HealthServer("127.0.0.1:0", GOOD, Metrics().registry) as server:
        assert exchange(server.address, b"GET /heal") == b""
        assert exchange(server.address, b"") == b""
        assert get(server, "/healthz") == (200, "ok\n")


def test_a_check_that_fails_says_so_in_one_line() -> None:
    def broken() -> str | None:
        raise RuntimeError("first\nsecond \x1b[2J")

    with HealthServer("127.0.0.1:0", Health(broken, broken), Metrics().registry) as server:
        for path in ("/healthz", "/readyz"):
            status, line = get(server, path)
            assert status == 503
            assert "RuntimeError" in line
            assert line.isprintable() or line[:-1].isprintable()
        assert get(server, "/metrics")[0] == 200


@pytest.mark.parametrize("asked", ["[::1]:0", "[::]:0", "localhost:0", "0.0.0.0:0"])
def test_an_address_may_be_of_either_family(asked: str) -> None:
    with HealthServer(asked, GOOD, Metrics().registry) as server:
        host, _, port = server.address.rpartition(":")
        assert host == asked.rpartition(":")[0]
        assert get(server, "/healthz") == (200, "ok\n")
        if asked != "[::1]:0":
            assert exchange(f"127.0.0.1:{port}", b"GET / HTTP/1.1\r\n\r\n")


@pytest.mark.parametrize(
    "address",
    [
        "nonsense", "127.0.0.1:x", "256.0.0.1:80", "", ":8080", "127.0.0.1:", "127.0.0.1:70000",
        " 127.0.0.1:0", "127.0.0.1:0 ", "127.0.0.1: 0", "::1:8080", "[::1]", "[nonsense]:0",
        "[::1:0", "127.0.0.1:٣", "127.0.0.1:0\n", "a:b:0", "http://127.0.0.1:0", "x\x1b[2J:0",
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_bound_is_a_configuration_error(address: str) -> None:
    with pytest.raises(
        ConfigurationError, match="MELTWATCH_HEALTH_ADDRESS: expected a free"
    ) as refused:
        HealthServer(address, GOOD, Metrics().registry)
    assert str(refused.value).isprintable()


def test_a_warning_stands_beside_ok_and_beside_nothing_else() -> None:
    spare = "Triton at b:1: UNAVAILABLE:\nconnection refused"
    warned = Health(lambda: None, lambda: None, lambda: spare)
    with HealthServer("127.0.0.1:0", warned, Metrics().registry) as server:
        said = "ok\nwarning: Triton at b:1: UNAVAILABLE: connection refused\n"
        assert get(server, "/readyz") == (200, said)
        assert get(server, "/healthz") == (200, "ok\n")
    worse = Health(lambda: None, lambda: "Kafka: no answer", lambda: spare)
    with HealthServer("127.0.0.1:0", worse, Metrics().registry) as server:
        assert get(server, "/readyz") == (503, "Kafka: no answer\n")
