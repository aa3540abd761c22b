"""How we prove to an OPC UA server who we are, and how it must prove who it is."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from asyncua import Client, ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from asyncua.crypto.validator import CertificateValidator, CertificateValidatorOptions
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from meltwatch_sources.credentials import Credentials
from meltwatch_sources.ports import SourceLost

_FILES: Final = "cert.pem, key.pem and ca.pem"


async def log_in(client: Client, login: Credentials | None, mode: ua.MessageSecurityMode) -> None:
    """Give a client, before it connects, its user and its certificate, and whom it may trust.

    Parameters
    ----------
    client
        Not connected yet.
    login
        User and files, if any.
    mode
        ``None_`` without certificates; then nobody proves anything.

    Raises
    ------
    SourceLost
        If a file is missing or no certificate. It may be mounted later, so the source waits.
    """
    if login is not None:
        client.set_user(login.username)
        client.set_password(login.password)
    if mode is ua.MessageSecurityMode.None_:
        return
    own, key, authority = (
        (None, None, None)
        if login is None
        else (login.certificate, login.private_key, login.authority)
    )
    if own is None or key is None or authority is None:
        raise SourceLost(f"expected {_FILES} in the folder of the credentials")
    client.application_uri = _application_uri(own)
    client.certificate_validator = _validator(_certificates(authority))
    await client.set_security(SecurityPolicyBasic256Sha256, str(own), str(key), mode=mode)


def _validator(
    trusted: list[x509.Certificate],
) -> Callable[[x509.Certificate, ua.ApplicationDescription], Awaitable[None]]:
    """Return what asyncua asks of a server's certificate before it sends the password.

    It is trusted if it is one of those that are, or signed by one of them.
    """
    dates_and_name = CertificateValidator(CertificateValidatorOptions.BASIC_VALIDATION)

    async def validate(certificate: x509.Certificate, server: ua.ApplicationDescription) -> None:
        await dates_and_name.validate(certificate, server)
        if certificate not in trusted and not any(_signed(certificate, by) for by in trusted):
            raise ServiceError(ua.StatusCodes.BadCertificateUntrusted)

    return validate


def _signed(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        is_authority = authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        certificate.verify_directly_issued_by(authority)
    except (x509.ExtensionNotFound, InvalidSignature, ValueError, TypeError):
        return False
    return is_authority


def _application_uri(certificate: Path) -> str:
    """Return the URI that a certificate is for: servers refuse a client of another name."""
    (own, *_) = _certificates(certificate)
    try:
        names = own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ""
    return next(iter(names.get_values_for_type(x509.UniformResourceIdentifier)), "")


def _certificates(file: Path) -> list[x509.Certificate]:
    try:
        content = file.read_bytes()
        if b"-----BEGIN" in content:
            return x509.load_pem_x509_certificates(content)
        return [x509.load_der_x509_certificate(content)]
    except (OSError, ValueError):
        raise SourceLost(f"{file}: expected a certificate, got something else") from None
