import socket
import urllib.error
import urllib.request

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


def test_every_metric_of_the_contract_is_there() -> None:
    names = {family.name for family in Metrics().registry.collect()}
    counters = {
        "meltwatch_records", "meltwatch_late", "meltwatch_dead_letters", "meltwatch_windows",
        "meltwatch_alarm_annunciations",
    }  # fmt: skip
    others = {
        "meltwatch_watermark_lag_seconds", "meltwatch_buffer_bytes", "meltwatch_scoring_seconds",
        "meltwatch_event_to_score_seconds", "meltwatch_event_to_alarm_seconds",
        "meltwatch_inflight_windows", "meltwatch_alarms_active", "meltwatch_member_disagreement",
    }  # fmt: skip

    assert counters | others <= names


def test_a_client_that_says_nothing_does_not_hold_up_the_probes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("meltwatch_chassis.health._SilentHandler.timeout", 0.2)

    with HealthServer("127.0.0.1:0", GOOD, Metrics().registry) as server:
        host, _, port = server.address.partition(":")
        with socket.create_connection((host, int(port))):
            assert get(server, "/healthz") == (200, "ok\n")


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:x", "256.0.0.1:80"])
def test_an_address_that_cannot_be_bound_is_a_configuration_error(address: str) -> None:
    with pytest.raises(ConfigurationError, match="MELTWATCH_HEALTH_ADDRESS: expected a free"):
        HealthServer(address, GOOD, Metrics().registry)
