"""A connection to a broker, made step by step: the first step that fails is the cause.

The clients hide it ("unable to bootstrap"), so the cause is looked for here.
"""

import ssl
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from kafka.errors import KafkaError
from kafka.net.sasl import get_sasl_mechanism
from kafka.protocol.metadata import ApiVersionsRequest, MetadataRequest
from kafka.protocol.parser import KafkaProtocol
from kafka.protocol.sasl import SaslAuthenticateRequest, SaslHandshakeRequest

from meltwatch_chassis.connecting import STEP_S, TLS_ALERT, Peer, opened
from meltwatch_chassis.errors import FatalError

_PROTOCOL: Final = "MELTWATCH_KAFKA_SECURITY_PROTOCOL"
_MOST_BYTES: Final = 1024 * 1024
_MOST_READS: Final = 64


@contextmanager
def introduced(server: str, connection: Mapping[str, Any]) -> Iterator["Talk"]:
    """Go through every step of a connection (TCP, TLS, Kafka, login) and talk over it.

    Parameters
    ----------
    server
        ``host:port``.
    connection
        Arguments of ``connection_arguments``.

    Raises
    ------
    ConfigurationError
        If TLS or the login is wrong.
    DependencyUnreachable
        If the broker does not answer.
    """
    peer = Peer("Kafka", server, "MELTWATCH_KAFKA_CA_FILE")
    with opened(peer, connection.get("ssl_context")) as channel:
        talk = Talk(peer, channel)
        known = talk.ask(ApiVersionsRequest(version=0)).api_keys
        talk.newest = {each.api_key: each.max_version for each in known}
        if connection.get("sasl_mechanism") is None:
            talk.ask(MetadataRequest(version=1, topics=[]), then="a login (SASL)")
        else:
            _log_in(talk, peer, connection)
        talk.is_let_in = True
        yield talk


def who(connection: Mapping[str, Any]) -> str:
    """Return how errors name those who connect with these arguments."""
    if user := connection.get("sasl_plain_username"):
        return f"user {user!r}"
    if "ssl_context" in connection:
        return "the owner of our certificate"
    return "clients without a login"


def _log_in(talk: "Talk", peer: Peer, connection: Mapping[str, Any]) -> None:
    mechanism = connection["sasl_mechanism"]
    answer = talk.ask(SaslHandshakeRequest(version=1, mechanism=mechanism))
    if answer.error_code:
        offered = ", ".join(answer.mechanisms) or "no login at all"
        raise peer.wrong(f"a listener that takes {mechanism}", f"one that takes {offered}")
    login = get_sasl_mechanism(mechanism)(host=peer.address, **connection)
    while not login.is_done():
        answer = talk.ask(SaslAuthenticateRequest(version=0, auth_bytes=login.auth_bytes()))
        if answer.error_code:
            raise peer.wrong(f"the broker to let {who(connection)} in", "wrong user or password")
        try:
            login.receive(answer.auth_bytes)
        except (ValueError, LookupError) as error:
            raise peer.wrong("a broker that knows our password", "a false proof of it") from error


class Talk:
    """Asks a server in Kafka's protocol, and says what it is if it is no broker.

    Parameters
    ----------
    peer
        How errors name it.
    channel
        A connected socket.

    Attributes
    ----------
    is_let_in
        Whether it has let us in: one that hangs up then is away, before it wants something else.
    newest
        The newest version of each kind of question that it takes.
    """

    def __init__(self, peer: Peer, channel: Any) -> None:
        self._peer = peer
        self._channel = channel
        self._protocol = KafkaProtocol(client_id="meltwatch", receive_message_max_bytes=_MOST_BYTES)
        self.is_let_in = False
        self.newest: Mapping[int, int] = {}

    def ask(self, request: Any, then: str | None = None) -> Any:
        """Return the answer; ``then`` says what the server may want if it hangs up."""
        self._protocol.send_request(request)
        try:
            self._channel.sendall(self._protocol.send_bytes())
            return self._answer(then)
        except TimeoutError as error:
            raise self._peer.away(f"no answer in {STEP_S:.0f} s") from error
        except ssl.SSLError as error:
            raise self._refused_certificate(error) from error
        except OSError as error:
            raise self._hung_up(then) from error
        except (KafkaError, ValueError, LookupError, TypeError, struct.error) as error:
            raise self._peer.wrong("a Kafka broker", "an answer in another protocol") from error

    def _answer(self, then: str | None) -> Any:
        for _ in range(_MOST_READS):
            data = self._channel.recv(65_536)
            if not data:
                raise self._hung_up(then)
            if data.startswith(TLS_ALERT):
                raise self._peer.wrong(f"what {_PROTOCOL} says", "a server that wants TLS")
            if answers := self._protocol.receive_bytes(data):
                return answers[0][1]
        raise ValueError("no whole answer")

    def _refused_certificate(self, error: ssl.SSLError) -> FatalError:
        alert = f"the TLS alert {error.reason}"
        if "CERTIFICATE_REQUIRED" in (error.reason or ""):
            expected = "a broker that wants no client certificate, or one of ours in"
            return self._peer.wrong(f"{expected} MELTWATCH_KAFKA_CERTIFICATE_FILE", alert)
        return self._peer.wrong("the broker to take our TLS and client certificate", alert)

    def _hung_up(self, then: str | None) -> FatalError:
        if self.is_let_in:
            return self._peer.away("a closed connection")
        wanted = then or ("a client certificate" if self._is_tls else "TLS")
        return self._peer.wrong(
            "a Kafka broker that talks to us", f"a closed connection: does it want {wanted}?"
        )

    @property
    def _is_tls(self) -> bool:
        return isinstance(self._channel, ssl.SSLSocket)
