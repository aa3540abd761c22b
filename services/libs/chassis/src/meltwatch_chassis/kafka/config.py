"""From settings to the arguments of the Kafka clients: address, TLS, SASL."""

import ssl
import threading
from functools import wraps
from typing import Any, Final

from meltwatch_chassis.connecting import tls_context
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.secret import password
from meltwatch_chassis.settings import KafkaSettings

_guarding: Final = threading.Lock()


def connection_arguments(settings: KafkaSettings) -> dict[str, Any]:
    """Return the connection arguments, which kafka-python and aiokafka name alike.

    Whoever connects asks for them, so threads may share kafka-python from here on.

    Raises
    ------
    ConfigurationError
        If TLS files cannot be read or SASL lacks a part.
    """
    guard_protocol_classes()
    arguments: dict[str, Any] = {
        "bootstrap_servers": settings.kafka.split(","),
        "security_protocol": settings.kafka_security_protocol,
    }
    if (context := ssl_context(settings)) is not None:
        arguments["ssl_context"] = context
    if settings.kafka_security_protocol.startswith("SASL"):
        arguments |= _login(settings)
    return arguments


def ssl_context(settings: KafkaSettings) -> ssl.SSLContext | None:
    """Return the TLS context that the security protocol asks for, or None.

    Raises
    ------
    ConfigurationError
        If a certificate file cannot be read.
    """
    if not settings.kafka_security_protocol.endswith("SSL"):
        return None
    context = tls_context(settings.kafka_ca_file, "MELTWATCH_KAFKA_CA_FILE")
    try:
        if settings.kafka_certificate_file is not None:
            context.load_cert_chain(
                settings.kafka_certificate_file, settings.kafka_private_key_file
            )
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"MELTWATCH_KAFKA_CERTIFICATE_FILE: expected PEM of certificate and key, got {error}"
        ) from error
    return context


def _login(settings: KafkaSettings) -> dict[str, Any]:
    secret = password("kafka_password", settings.kafka_password, settings.kafka_password_file)
    if settings.kafka_sasl_mechanism is None or settings.kafka_username is None or secret is None:
        raise ConfigurationError(
            f"MELTWATCH_KAFKA_SECURITY_PROTOCOL={settings.kafka_security_protocol}: expected "
            "MELTWATCH_KAFKA_SASL_MECHANISM, _USERNAME and _PASSWORD (or _PASSWORD_FILE) beside it"
        )
    return {
        "sasl_mechanism": settings.kafka_sasl_mechanism,
        "sasl_plain_username": settings.kafka_username,
        "sasl_plain_password": secret,
    }


def guard_protocol_classes() -> None:
    """Have kafka-python make each class of its protocol once, whichever threads ask for it.

    Of two threads that ask for the first time each makes one. Then it may keep the one and know the
    other by a weak reference alone: each answer of that kind fails until the process ends, with
    "weakly-referenced object no longer exists" (3.0.12).
    """
    # Not above: settings are read by commands whose help must not wait for the client.
    from kafka.protocol.api_message import VersionSubscriptable  # noqa: PLC0415

    with _guarding:
        unguarded = VersionSubscriptable.__getitem__
        if hasattr(unguarded, "__wrapped__"):
            return
        making = threading.RLock()

        @wraps(unguarded)
        def guarded(primary: type, version: int | None) -> Any:
            with making:
                return unguarded(primary, version)

        VersionSubscriptable.__getitem__ = guarded
