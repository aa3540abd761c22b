"""Logins of cameras and meters: by name from a mounted folder, and never shown."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote

from meltwatch_schemas.text import escaped

from meltwatch_sources.address import Address
from meltwatch_sources.ports import SourceLost

DEFAULT_DIR: Final = Path("/etc/meltwatch/credentials")
HIDDEN: Final = "***"
_USER_INFO: Final = re.compile(r"(?<=//)\S*@")
_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_MAX_BYTES: Final = 4096
_LONGEST: Final = 300


def is_credentials_name(text: str) -> bool:
    """Tell whether a text may name a login: as Kubernetes names a Secret."""
    return _NAME.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Credentials:
    """A login. Its text form shows nothing of it.

    Attributes
    ----------
    username, password
        As they are, not encoded.
    certificate, private_key
        Files, where the source wants a client certificate.
    authority
        File of the CA that signed the source's own certificate; None for those of the system.
    """

    username: str = field(repr=False)
    password: str = field(repr=False)
    certificate: Path | None = None
    private_key: Path | None = None
    authority: Path | None = None


@dataclass(frozen=True, slots=True)
class CredentialStore:
    """The mounted folder: one folder a name, with ``username`` and ``password``.

    A login is read whenever a source connects, so that it can be changed without a restart.
    """

    folder: Path = DEFAULT_DIR

    def read(self, name: str) -> Credentials:
        """Return the login of a name.

        Raises
        ------
        SourceLost
            If a file is missing or no text: it may be mounted later, so the source waits.
        """
        folder = self.folder / name
        return Credentials(
            self._text(folder / "username"),
            self._text(folder / "password"),
            _if_there(folder / "cert.pem"),
            _if_there(folder / "key.pem"),
            _if_there(folder / "ca.pem"),
        )

    def _text(self, path: Path) -> str:
        try:
            content = path.read_bytes()
            text = content.decode().rstrip("\r\n")
        except OSError as error:
            raise SourceLost(f"{path}: expected a login, got {error.strerror}") from None
        except UnicodeDecodeError:
            raise SourceLost(f"{path}: expected a login in UTF-8, got other bytes") from None
        if not text or len(content) > _MAX_BYTES or "\n" in text or "\0" in text:
            raise SourceLost(f"{path}: expected one line of at most {_MAX_BYTES} bytes")
        return text


def with_login(address: Address, login: Credentials | None) -> str:
    """Return an address with a login in it, percent-encoded; for a library's ears alone."""
    if login is None:
        return address.text
    scheme, _, rest = address.text.partition("://")
    user, password = quote(login.username, safe=""), quote(login.password, safe="")
    return f"{scheme}://{user}:{password}@{rest}"


def redacted(text: str, login: Credentials | None = None) -> str:
    """Return a text of a library, one bounded printable line, without a login.

    Parameters
    ----------
    text
        Whatever it said: errors of FFmpeg hold the whole URL.
    login
        What must not be in it, in any form in which we hand it over.
    """
    for secret in _forms(login):
        text = text.replace(secret, HIDDEN)
    text = _USER_INFO.sub(f"{HIDDEN}@", text)
    return escaped(" ".join(text.split()))[:_LONGEST]


def _forms(login: Credentials | None) -> list[str]:
    """Return the forms of a password, the longest first: one may be part of another."""
    if login is None:
        return []
    plain = login.password
    forms = {plain, quote(plain, safe=""), quote(plain), escaped(plain), repr(plain)[1:-1]}
    return sorted(forms, key=len, reverse=True)


def _if_there(path: Path) -> Path | None:
    return path if path.is_file() else None
