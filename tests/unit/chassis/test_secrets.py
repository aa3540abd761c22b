"""Passwords, CA files and addresses that do not fit each other: one line, and no secret in it."""

from pathlib import Path

import pytest
import trustme
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.kafka.config import connection_arguments
from meltwatch_chassis.redis_access import redis_login
from meltwatch_chassis.settings import KafkaSettings, RedisSettings, load

SECRET = "geheim"  # noqa: S105 - nobody's
SASL = {
    "MELTWATCH_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
    "MELTWATCH_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
    "MELTWATCH_KAFKA_USERNAME": "u",
}


@pytest.fixture
def ca_file(tmp_path: Path) -> str:
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")
    return str(tmp_path / "ca.pem")


@pytest.fixture
def password_file(tmp_path: Path) -> str:
    (tmp_path / "password").write_text(f"{SECRET}\n")
    return str(tmp_path / "password")


def login(**variables: str) -> dict[str, object]:
    named = {f"MELTWATCH_REDIS{name}": value for name, value in variables.items()}
    return redis_login(load(RedisSettings, named))


def test_the_login_of_redis_holds_what_was_given_and_nothing_else(ca_file: str) -> None:
    whole = login(**{"": "rediss://r:1/0"}, _USERNAME="u", _PASSWORD=SECRET, _CA_FILE=ca_file)

    assert login() == {}
    assert whole == {"username": "u", "password": SECRET, "ssl_ca_certs": ca_file}


def test_a_password_may_stand_in_a_file(password_file: str) -> None:
    kafka = load(KafkaSettings, SASL | {"MELTWATCH_KAFKA_PASSWORD_FILE": password_file})

    assert connection_arguments(kafka)["sasl_plain_password"] == SECRET
    assert login(_PASSWORD_FILE=password_file) == {"password": SECRET}


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"_PASSWORD": SECRET, "_PASSWORD_FILE": "f"}, "_PASSWORD_FILE, got both"),
        ({"_PASSWORD_FILE": "/nowhere/p"}, "REDIS_PASSWORD_FILE: expected a readable file"),
        (
            {"_CA_FILE": "/nowhere/ca.pem"},
            "expected rediss:// (TLS) beside MELTWATCH_REDIS_CA_FILE",
        ),
        ({"": "rediss://r/0", "_CA_FILE": "/nowhere/ca.pem"}, "expected readable PEM certificates"),
        ({"": "rediss://r/0", "_CA_FILE": __file__}, "expected readable PEM certificates"),
        ({"": f"http://u:{SECRET}@r:6379"}, "MELTWATCH_REDIS: expected redis://host:port/0"),
        ({"": "redis://"}, "MELTWATCH_REDIS: expected redis://host:port/0"),
    ],
)
def test_what_does_not_fit_is_refused(variables: dict[str, str], expected: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        login(**variables)

    assert expected in str(refused.value)
    assert SECRET not in str(refused.value)
    assert "\n" not in str(refused.value)
