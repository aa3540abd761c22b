"""The MQTT broker: where it is, how to log in, and a client for one connection."""

import ssl
from dataclasses import dataclass, field
from typing import Final

from aiomqtt import Client, MqttError, Will
from aiomqtt.exceptions import MqttConnectError
from meltwatch_chassis.connecting import Peer, opened, tls_context
from meltwatch_chassis.errors import ConfigurationError, FatalError
from meltwatch_chassis.secret import password
from meltwatch_chassis.settings import MqttSettings

from meltwatch_scada_adapter.domain.sparkplug.edge_node import EdgeMessage

_ANSWER_S: Final = 5.0
_KEEP_ALIVE_S: Final = 15
"""A broker that hears nothing for half as long again sends the will."""
_MOST_WAITING: Final = 1_000


@dataclass(frozen=True, slots=True)
class MqttBroker:
    """How a broker is reached.

    Attributes
    ----------
    address
        ``host:port``.
    client_id
        What it knows us by; a second client of that id throws out the first.
    username, secret
        Login; None for none.
    context
        TLS; None without.
    """

    address: str
    client_id: str
    username: str | None = None
    secret: str | None = field(default=None, repr=False)
    context: ssl.SSLContext | None = None

    def client(self, will: EdgeMessage) -> Client:
        """Return a client, not yet connected; its will is sent should it vanish."""
        host, _, port = self.address.rpartition(":")
        return Client(
            host.strip("[]"),
            int(port),
            identifier=self.client_id,
            username=self.username,
            password=self.secret,
            tls_context=self.context,
            will=Will(will.topic, will.payload, qos=will.qos),
            clean_session=True,
            timeout=_ANSWER_S,
            keepalive=_KEEP_ALIVE_S,
            max_queued_incoming_messages=_MOST_WAITING,
        )

    def check(self) -> None:
        """Connect without a word, to learn why it fails: the client hides it, and leaks a socket.

        Raises
        ------
        FatalError
            With one line.
        """
        with opened(self._peer, self.context):
            pass

    def why(self, error: MqttError | FatalError) -> str:
        """Return one line that says why a connection failed."""
        if isinstance(error, FatalError):
            return str(error)
        if isinstance(error, MqttConnectError):
            return str(self._peer.wrong("a login that it knows", str(error)))
        return f"{self._peer}: {error}{'' if self.context else '; does it want TLS?'}"

    @property
    def _peer(self) -> Peer:
        return Peer("MQTT", self.address, "MELTWATCH_MQTT_CA_FILE")


def broker_of(settings: MqttSettings, client_id: str) -> MqttBroker | None:
    """Return the broker that settings name, None if they name none.

    Raises
    ------
    ConfigurationError
        If TLS files or the password cannot be read.
    """
    if settings.mqtt is None:
        return None
    secret = password("mqtt_password", settings.mqtt_password, settings.mqtt_password_file)
    if secret is not None and settings.mqtt_username is None:
        raise ConfigurationError("MELTWATCH_MQTT_USERNAME: expected one beside the password")
    return MqttBroker(settings.mqtt, client_id, settings.mqtt_username, secret, _context(settings))


def _context(settings: MqttSettings) -> ssl.SSLContext | None:
    if not settings.mqtt_tls:
        return None
    context = tls_context(settings.mqtt_ca_file, "MELTWATCH_MQTT_CA_FILE")
    if settings.mqtt_certificate_file is None:
        return context
    try:
        context.load_cert_chain(settings.mqtt_certificate_file, settings.mqtt_private_key_file)
    except OSError as error:
        raise ConfigurationError(
            f"MELTWATCH_MQTT_CERTIFICATE_FILE: expected PEM of certificate and key, got {error}"
        ) from None
    return context
