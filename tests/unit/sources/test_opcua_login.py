"""Which servers are trusted, by their certificate alone."""

import datetime as dt
from pathlib import Path

import pytest
from asyncua import Client, ua
from asyncua.common.utils import ServiceError
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from meltwatch_sources.adapters.opcua_login import log_in
from meltwatch_sources.credentials import Credentials
from meltwatch_sources.ports import SourceLost

URI = "urn:plant:plc"
YEAR = dt.timedelta(days=365)
NOW = dt.datetime.now(dt.UTC)
SIGN = ua.MessageSecurityMode.Sign


class Party:
    """A key with a certificate, signed by itself or by another party."""

    def __init__(
        self,
        name: str,
        by: "Party | None" = None,
        *,
        is_authority: bool = False,
        uri: str = URI,
        end: dt.datetime = NOW + YEAR,
    ) -> None:
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self.key = ec.generate_private_key(ec.SECP256R1())
        signer = by or self
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)])
        self.certificate = (
            x509.CertificateBuilder(signer.name, self.name, self.key.public_key(), 7)
            .not_valid_before(NOW - 2 * YEAR)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
            .add_extension(names, critical=False)
            .sign(signer.key, hashes.SHA256())
        )


OWNER = Party("owner", is_authority=True)
IMPOSTOR = Party("owner", is_authority=True)
PLC = Party("plc", OWNER)


async def trusted_client(folder: Path, *trusted: Party) -> Client:
    """Return a client that trusts some parties."""
    own, key, authority = (folder / name for name in ("cert.pem", "key.pem", "ca.pem"))
    own.write_bytes(PLC.certificate.public_bytes(Encoding.PEM))
    key.write_bytes(PLC.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    authority.write_bytes(b"".join(each.certificate.public_bytes(Encoding.PEM) for each in trusted))
    client = Client("opc.tcp://127.0.0.1:1")

    async def nothing_is_asked(*_: object, **__: object) -> None:
        return None

    client.set_security = nothing_is_asked
    await log_in(client, Credentials("user", "password", own, key, authority), SIGN)
    return client


async def verdict(folder: Path, server: Party, *trusted: Party) -> str:
    client = await trusted_client(folder, *trusted)
    try:
        await client.certificate_validator(
            server.certificate, ua.ApplicationDescription(ApplicationUri=URI)
        )
    except ServiceError as error:
        return ua.StatusCode(error.code).name
    return "trusted"


@pytest.mark.parametrize(
    ("server", "trusted", "expected"),
    [
        (PLC, (OWNER,), "trusted"),
        (PLC, (PLC,), "trusted"),
        (PLC, (IMPOSTOR, OWNER), "trusted"),
        (PLC, (IMPOSTOR,), "BadCertificateUntrusted"),
        (Party("plc"), (OWNER, PLC), "BadCertificateUntrusted"),
        (Party("other", PLC), (PLC,), "BadCertificateUntrusted"),
        (Party("plc", OWNER, end=NOW - YEAR), (OWNER,), "BadCertificateTimeInvalid"),
        (Party("plc", OWNER, uri="urn:other"), (OWNER,), "BadCertificateUriInvalid"),
    ],
    ids=["signed", "itself", "one-of-two", "same-name", "unknown", "no-authority", "old", "other"],
)
async def test_a_server_is_trusted_that_somebody_trusted_has_signed(
    tmp_path: Path, server: Party, trusted: tuple[Party, ...], expected: str
) -> None:
    assert await verdict(tmp_path, server, *trusted) == expected


async def test_all_files_are_wanted(tmp_path: Path) -> None:
    login = Credentials("user", "password", tmp_path / "cert.pem", tmp_path / "key.pem")
    with pytest.raises(SourceLost, match=r"expected cert\.pem, key\.pem and ca\.pem"):
        await log_in(Client("opc.tcp://127.0.0.1:1"), login, SIGN)
