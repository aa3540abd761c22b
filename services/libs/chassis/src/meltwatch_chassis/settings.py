"""Settings from ``MELTWATCH_*`` variables: read once, frozen, passed down as values."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, TypeVar

from meltwatch_schemas.text import is_printable
from meltwatch_schemas.topics import DEFAULT_PREFIX, check_prefix
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.known_variables import KNOWN_VARIABLES

PREFIX = "MELTWATCH_"


class ServiceSettings(BaseModel):
    """Settings of every service."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    topic_prefix: str = Field(
        default=DEFAULT_PREFIX, description="First part of every topic and Redis key."
    )
    health_address: str = Field(
        default="127.0.0.1:0",
        description="host:port for /healthz, /readyz and /metrics; port 0 takes a free one.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe log lines to write."
    )
    log_format: Literal["json", "console"] = Field(
        default="json", description="json: an object a line; console: text for people."
    )

    _prefix = field_validator("topic_prefix")(check_prefix)


class KafkaSettings(ServiceSettings):
    """Where the broker is and how to log in."""

    kafka: str = Field(default="127.0.0.1:9092", description="Bootstrap servers, host:port,…")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT",
        description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL, as the broker's listener demands.",
    )
    kafka_ca_file: Path | None = Field(default=None, description="CA certificates, PEM.")
    kafka_certificate_file: Path | None = Field(default=None, description="Client certificate.")
    kafka_private_key_file: Path | None = Field(
        default=None, description="Private key of the client certificate."
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        default=None, description="SASL mechanism."
    )
    kafka_username: str | None = Field(default=None, description="SASL user.")
    kafka_password: SecretStr | None = Field(default=None, description="SASL password.")
    kafka_password_file: Path | None = Field(
        default=None, description="File that holds the SASL password, instead of it."
    )

    @field_validator("kafka")
    @classmethod
    def _check_brokers(cls, kafka: str) -> str:
        return _checked_addresses(kafka)


class RedisSettings(ServiceSettings):
    """Where Redis is: one primary, no Redis Cluster."""

    redis: str = Field(
        default="redis://127.0.0.1:6379/0", description="redis:// or rediss:// (TLS) address."
    )
    redis_username: str | None = Field(default=None, description="ACL user.")
    redis_password: SecretStr | None = Field(default=None, description="Redis password.")
    redis_password_file: Path | None = Field(
        default=None, description="File that holds the Redis password, instead of it."
    )
    redis_ca_file: Path | None = Field(default=None, description="CA certificates, PEM.")

    @field_validator("redis")
    @classmethod
    def _check_redis(cls, redis: str) -> str:
        found = _REDIS_URL.fullmatch(redis)
        if found is None or int(found["port"] or 0) > _LAST_PORT:
            raise ValueError("expected redis://host:port/0, or rediss:// for TLS")
        return redis


class MqttSettings(ServiceSettings):
    """Where an MQTT broker is and how to log in, for services that talk to one."""

    mqtt: str | None = Field(default=None, description="host:port of the MQTT broker.")
    mqtt_tls: bool = Field(default=False, description="Use TLS to the MQTT broker.")
    mqtt_ca_file: Path | None = Field(default=None, description="CA certificates, PEM.")
    mqtt_certificate_file: Path | None = Field(default=None, description="Client certificate.")
    mqtt_private_key_file: Path | None = Field(
        default=None, description="Private key of the client certificate."
    )
    mqtt_username: str | None = Field(default=None, description="MQTT user.")
    mqtt_password: SecretStr | None = Field(default=None, description="MQTT password.")
    mqtt_password_file: Path | None = Field(
        default=None, description="File that holds the MQTT password, instead of it."
    )

    @field_validator("mqtt")
    @classmethod
    def _check_mqtt(cls, mqtt: str | None) -> str | None:
        if mqtt is not None and ("," in mqtt or not _is_address(mqtt)):
            raise ValueError("expected host:port of one broker")
        return mqtt


class TritonSettings(ServiceSettings):
    """Where Triton's gRPC endpoints are."""

    triton: str = Field(
        default="127.0.0.1:8001", description="gRPC host:port,… of servers with the same models."
    )
    triton_tls: bool = Field(default=False, description="Use TLS to Triton.")
    triton_ca_file: Path | None = Field(default=None, description="CA certificates, PEM.")

    @field_validator("triton")
    @classmethod
    def _check_endpoints(cls, triton: str) -> str:
        return _checked_addresses(triton)

    @property
    def triton_endpoints(self) -> tuple[str, ...]:
        """The addresses one by one, in the order given."""
        return _split(self.triton)


class PlantSettings(ServiceSettings):
    """Which plant file describes the furnaces."""

    plant_file: Path | None = Field(
        default=None, description="plant.yaml; furnaces outside it work with the defaults."
    )


_REDIS_URL: Final = re.compile(
    r"rediss?://([^@\s]*@)?(\[[0-9A-Fa-f:.]+\]|[^@/:\[\]\s]+)(:(?P<port>[0-9]{1,5}))?(/[0-9]*)?(\?\S*)?"
)
_LAST_PORT: Final = 65_535
_USER_INFO: Final = re.compile(r"(?<=//)[^@/]*(?=@)")
AnySettings = TypeVar("AnySettings", bound=ServiceSettings)


def _split(addresses: str) -> tuple[str, ...]:
    return tuple(address.strip() for address in addresses.split(","))


def _checked_addresses(text: str) -> str:
    addresses = _split(text)
    if len(set(addresses)) < len(addresses) or not all(map(_is_address, addresses)):
        raise ValueError("expected host:port, or several different ones joined by commas")
    return ",".join(addresses)


def _is_address(text: str) -> bool:
    host, _, port = text.rpartition(":")
    is_port = port.isascii() and port.isdecimal() and len(port) <= 5 and int(port) <= 65_535
    return is_port and re.fullmatch(r"\[[^\s@\[\]]+\]|[^\s@\[\]]+", host) is not None


def load(settings_class: type[AnySettings], environ: Mapping[str, str]) -> AnySettings:
    """Return a service's settings from an environment.

    Raises
    ------
    ConfigurationError
        If a value is wrong or a ``MELTWATCH_*`` variable is unknown to the whole product;
        another service's variable is ignored.
    """
    given = {name: value for name, value in environ.items() if name.startswith(PREFIX)}
    unknown = sorted(given.keys() - KNOWN_VARIABLES)
    if unknown:
        raise ConfigurationError(
            f"environment: expected variables that Meltwatch knows, got {', '.join(unknown)}; "
            "see docs/operations.md for the list"
        )
    for variable, value in given.items():
        if not is_printable(value):
            shown = "a hidden value" if "PASSWORD" in variable else repr(value[:200])
            raise ConfigurationError(f"{variable}: expected printable text, got {shown}")
    own = {
        name: given[variable]
        for name in settings_class.model_fields
        if (variable := PREFIX + name.upper()) in given
    }
    try:
        return settings_class.model_validate(own)
    except ValidationError as error:
        first = error.errors()[0]
        variable = PREFIX + ".".join(str(part) for part in first["loc"]).upper()
        shown = "a hidden value" if "PASSWORD" in variable else repr(first["input"])
        shown = _USER_INFO.sub("***", shown)
        raise ConfigurationError(
            f"{variable}: {first['msg'].removeprefix('Value error, ')}, got {shown}"
        ) from None


def describe(settings_class: type[ServiceSettings]) -> str:
    """Return one line per variable of a service: name, default, meaning."""
    lines = [
        f"  {PREFIX}{name.upper()}={field.get_default()!s:<24} {field.description}"
        for name, field in settings_class.model_fields.items()
    ]
    return "\n".join(lines)
