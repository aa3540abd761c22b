"""Why a server cannot be talked to: TCP first, then TLS, each failure in one line.

Clients hide the cause ("unable to bootstrap", "connection closed"); asked step by step, the first
step that fails is the cause.
"""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from meltwatch_schemas.text import escaped

from meltwatch_chassis.errors import ConfigurationError, DependencyUnreachable, FatalError

STEP_S: Final = 5.0
"""How long to wait for each answer."""
_PLAINTEXT: Final = "an answer without it: is this a plaintext port?"
TLS_ALERT: Final = b"\x15\x03"
"""How a TLS server's answer to a client without TLS begins."""
_NO_SUCH_HOST_IN_CERTIFICATE: Final = (62, 64)
_EXPIRED: Final = (9, 10)


@dataclass(frozen=True, slots=True)
class Peer:
    """A server as errors name it.

    Attributes
    ----------
    kind
        What it should be: ``Kafka``, ``Redis``, ``Triton``.
    address
        ``host:port``.
    ca_variable
        The setting that names the CA file.
    """

    kind: str
    address: str
    ca_variable: str

    def __str__(self) -> str:
        return f"{self.kind} at {self.address}"

    def wrong(self, expected: str, got: str) -> ConfigurationError:
        """Return the error of a setting that does not fit the server."""
        return ConfigurationError(f"{self}: expected {expected}, got {escaped(got)}")

    def away(self, got: str) -> DependencyUnreachable:
        """Return the error of a server that does not answer."""
        return DependencyUnreachable(f"{self}: expected an answer, got {escaped(got)}")


@contextmanager
def opened(peer: Peer, context: ssl.SSLContext | None = None) -> Iterator[socket.socket]:
    """Connect by TCP, and by TLS if a context is given; every read waits a few seconds at most.

    Raises
    ------
    DependencyUnreachable
        If nothing listens or nothing answers.
    ConfigurationError
        If TLS cannot be agreed on.
    """
    host, _, port = peer.address.rpartition(":")
    host = host.strip("[]")
    try:
        plain = socket.create_connection((host, int(port)), timeout=STEP_S)
    except (OSError, ValueError) as error:
        raise peer.away(_words(error)) from error
    with plain:
        if context is None:
            yield plain
            return
        try:
            secured = context.wrap_socket(plain, server_hostname=host)
        except TimeoutError as error:
            raise _silent_at_tls(peer) from error
        except (OSError, ValueError) as error:
            _refuse_handshake(peer, error)
        with secured:
            yield secured


def tls_context(ca_file: Path | None, variable: str) -> ssl.SSLContext:
    """Return a context that trusts a CA file, or the system's CAs without one.

    Parameters
    ----------
    ca_file
        PEM.
    variable
        The setting that names it.

    Raises
    ------
    ConfigurationError
        If the file cannot be read.
    """
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        said = error.strerror or error
        raise ConfigurationError(
            f"{variable}: expected readable PEM certificates, got {str(ca_file)!r}: {said}"
        ) from None


def tls_problem(peer: Peer, context: ssl.SSLContext | None) -> FatalError | None:
    """Return why TCP or TLS fails, or that the server wants TLS; None if nothing is wrong."""
    try:
        with opened(peer, context) as channel:
            answer = None if context else _first_answer(channel)
        if answer is not None and (not answer or answer.startswith(TLS_ALERT)):
            return peer.wrong("a server without TLS, as our settings say", "one that wants it")
    except FatalError as error:
        return error
    return None


def _first_answer(channel: socket.socket) -> bytes | None:
    """Return the answer to a plain line: empty if the server hangs up, None if it is silent."""
    try:
        channel.sendall(b"PING\r\n\r\n")
        return channel.recv(16)
    except TimeoutError:
        return None
    except OSError:
        return b""


def _refuse_handshake(peer: Peer, error: Exception) -> NoReturn:
    if isinstance(error, ssl.SSLCertVerificationError):
        said = error.verify_message.rstrip(".")
        if error.verify_code in _NO_SUCH_HOST_IN_CERTIFICATE:
            expected = "a certificate for the name that we connect to"
        elif error.verify_code in _EXPIRED:
            expected = "a certificate that is valid today"
        else:
            expected = f"a certificate signed by a CA of {peer.ca_variable}"
        raise peer.wrong(expected, f"another: {said}") from error
    if isinstance(error, ssl.SSLError) and "ALERT" in (error.reason or ""):
        raise peer.wrong("a TLS handshake", f"the alert {error.reason}") from error
    raise peer.wrong("TLS", _PLAINTEXT) from error


def _silent_at_tls(peer: Peer) -> FatalError:
    """Return what silence means: some servers without TLS wait for the end of a line."""
    try:
        with opened(peer) as channel:
            if _first_answer(channel):
                return peer.wrong("TLS", _PLAINTEXT)
    except FatalError as error:
        return error
    return peer.away(f"no TLS handshake in {STEP_S:.0f} s")


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer in {STEP_S:.0f} s"
    said = error.strerror if isinstance(error, OSError) else None
    return f"'{said or error}'"
