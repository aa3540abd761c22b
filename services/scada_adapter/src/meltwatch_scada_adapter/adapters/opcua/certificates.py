"""The server's certificate and those of clients: files in one folder."""

from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import structlog
from asyncua import ua
from asyncua.common.utils import ServiceError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID as Use
from cryptography.x509.oid import NameOID
from meltwatch_chassis.clock import Clock
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_schemas.instants import utc_from_ns
from meltwatch_schemas.text import escaped

_VALID: Final = timedelta(days=3650)
_KEY_BITS: Final = 2048
_SETTING: Final = "MELTWATCH_OPCUA_CERTIFICATE_DIR"
_MOST_REFUSED: Final = 100
_log = structlog.get_logger()


@dataclass(slots=True)
class Certificates:
    """Of one server.

    Attributes
    ----------
    certificate, key
        Files of the server's own.
    trusted
        Folder of clients' certificates, PEM or DER; None trusts every client.
    """

    certificate: Path
    key: Path
    trusted: Path | None
    _refused: int = 0

    def check_client(self, certificate: x509.Certificate) -> None:
        """Let in a client whose certificate lies in the folder of those that are trusted.

        Raises
        ------
        ServiceError
            If it does not.
        """
        if self.trusted is None:
            return
        wanted = certificate.fingerprint(hashes.SHA256())
        if any(wanted == known for known in self._known(self.trusted)):
            return
        self._refused += 1
        if self._refused <= _MOST_REFUSED:
            subject = escaped(certificate.subject.rfc4514_string())[:200]
            _log.warning("client_certificate_refused", subject=subject, sha256=wanted.hex())
        raise ServiceError(ua.StatusCodes.BadCertificateUntrusted)

    @staticmethod
    def _known(folder: Path) -> list[bytes]:
        found = []
        # What Kubernetes mounts keeps its versions beside the files, under hidden names.
        for file in sorted(folder.glob("[!.]*")):
            try:
                found.append(_read(file.read_bytes()).fingerprint(hashes.SHA256()))
            except (OSError, ValueError) as error:
                _log.warning("trusted_certificate_unreadable", file=file.name, error=str(error))
        return found


def open_certificates(
    folder: Path, host: str, uri: str, clock: Clock, *, trust_all: bool
) -> Certificates:
    """Return the certificates of a folder; the server's are made where there are none.

    Parameters
    ----------
    folder
        Holds ``server.pem``, ``server.key`` and the folder ``trusted``.
    host
        Address or name that clients connect to: stands in a certificate that is made.
    uri
        Of the application; clients hold it against the certificate.
    clock
        From when a certificate is valid.
    trust_all
        Every client is let in up to the login.

    Raises
    ------
    ConfigurationError
        If the folder cannot be read or written.
    """
    certificate, key = folder / "server.pem", folder / "server.key"
    try:
        if not certificate.exists() or not key.exists():
            folder.mkdir(parents=True, exist_ok=True)
            _make(certificate, key, host, uri, clock)
            _log.info("certificate_made", file=str(certificate))
        _read(certificate.read_bytes())
        serialization.load_pem_private_key(key.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(
            f"{_SETTING}: expected server.pem and server.key in {folder}, got {error}"
        ) from error
    return Certificates(certificate, key, None if trust_all else folder / "trusted")


def _make(certificate: Path, key: Path, host: str, uri: str, clock: Clock) -> None:
    private = rsa.generate_private_key(65537, _KEY_BITS)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Meltwatch SCADA adapter")])
    now = utc_from_ns(clock.now_ns())
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=True, key_encipherment=True,
        data_encipherment=True, key_agreement=False, key_cert_sign=True, crl_sign=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _VALID)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([Use.SERVER_AUTH, Use.CLIENT_AUTH]),
            critical=False,
        )
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri), *_names(host)]),
            critical=False,
        )
        .sign(private, hashes.SHA256())
    )
    key.touch(mode=0o600)
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))


def _names(host: str) -> list[Any]:
    try:
        return [x509.IPAddress(ip_address(host.strip("[]"))), x509.DNSName("localhost")]
    except ValueError:
        return [x509.DNSName(host), x509.DNSName("localhost")]


def _read(content: bytes) -> x509.Certificate:
    if content.startswith(b"-----"):
        return x509.load_pem_x509_certificate(content)
    return x509.load_der_x509_certificate(content)
