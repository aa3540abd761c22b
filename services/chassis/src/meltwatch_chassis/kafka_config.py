"""From settings to the arguments of the Kafka clients: address, TLS, SASL."""

import ssl
from typing import Any

from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.settings import KafkaSettings


def connection_arguments(settings: KafkaSettings) -> dict[str, Any]:
    """Return the connection arguments, which kafka-python and aiokafka name alike.

    Raises
    ------
    ConfigurationError
        If TLS files cannot be read or SASL lacks a part.
    """
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
    try:
        context = ssl.create_default_context(cafile=settings.kafka_ca_file)
        if settings.kafka_certificate_file is not None:
            context.load_cert_chain(
                settings.kafka_certificate_file, settings.kafka_private_key_file
            )
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"Kafka TLS: expected readable PEM files, got {error}") from error
    return context


def _login(settings: KafkaSettings) -> dict[str, Any]:
    secret = settings.kafka_password
    if settings.kafka_sasl_mechanism is None or settings.kafka_username is None or secret is None:
        raise ConfigurationError(
            f"MELTWATCH_KAFKA_SECURITY_PROTOCOL={settings.kafka_security_protocol}: expected "
            "MELTWATCH_KAFKA_SASL_MECHANISM, _USERNAME and _PASSWORD beside it"
        )
    return {
        "sasl_mechanism": settings.kafka_sasl_mechanism,
        "sasl_plain_username": settings.kafka_username,
        "sasl_plain_password": secret.get_secret_value(),
    }
