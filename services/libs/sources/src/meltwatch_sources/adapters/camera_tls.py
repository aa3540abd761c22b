"""TLS of cameras: the certificate is checked against who signed it, and the name in it."""

import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from meltwatch_sources.credentials import Credentials, redacted
from meltwatch_sources.plant import VideoSource
from meltwatch_sources.ports import SourceLost


@dataclass(frozen=True, slots=True)
class CameraTls:
    """How a camera proves who it is.

    Attributes
    ----------
    host, port
        Where it is.
    name
        That must stand in its certificate.
    authority
        File of who signed it; the camera's own certificate is one, too. None: those that
        this machine trusts.
    """

    host: str
    port: int
    name: str
    authority: Path | None

    @classmethod
    def of(cls, source: VideoSource, login: Credentials | None, folder: Path) -> Self | None:
        """Return what the plant file and the login's folder say; None of a camera without TLS.

        Raises
        ------
        SourceLost
            If the file is missing: it may be mounted later, so the camera waits.
        """
        where = source.where
        if where.scheme != "rtsps":
            return None
        authority = login.authority if login else None
        if source.ca_file is not None:
            authority = folder / source.ca_file
            if not authority.is_file():
                raise SourceLost(f"{authority}: expected the certificate of an authority, got none")
        host = where.host.strip("[]")
        return cls(host, where.port, source.certificate_name or host, authority)

    @property
    def options(self) -> Mapping[str, str]:
        """What FFmpeg is told."""
        told = {"tls_verify": "1", "verifyhost": self.name}
        return told if self.authority is None else told | {"ca_file": str(self.authority)}

    def problem(self, patience_s: float) -> str | None:
        """Return one line on what is wrong with the camera's certificate; None if it is right."""
        try:
            context = ssl.create_default_context(cafile=self.authority)
            # As for FFmpeg's GnuTLS: the camera's own certificate may stand there.
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        except ssl.SSLError:
            return redacted(f"{self.authority}: expected certificates in PEM, got something else")
        try:
            raw = socket.create_connection((self.host, self.port), patience_s)
        except OSError:
            return None
        with raw:
            return self._refusal(context, raw)

    def _refusal(self, context: ssl.SSLContext, raw: socket.socket) -> str | None:
        try:
            with context.wrap_socket(raw, server_hostname=self.name):
                return None
        except ssl.SSLCertVerificationError as error:
            authority = self.authority or "an authority that this machine trusts"
            why = error.verify_message.rstrip(".")
            return redacted(
                f"the camera's certificate is refused: {why}; expected one for "
                f"{self.name} signed by {authority} (see ca_file and certificate_name)"
            )
        except (OSError, ValueError):
            return redacted(f"expected TLS at {self.host}:{self.port}, got something else")
