"""Who may log in: names with hashes of their passwords. What they may do the roles file says."""

import hashlib
import hmac
import re
import secrets
from pathlib import Path
from typing import Any, Final

import structlog
from asyncua.crypto.permission_rules import User as AsyncuaUser
from asyncua.crypto.permission_rules import UserRole
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.point_file import read_checked
from meltwatch_schemas.bounds import User
from meltwatch_schemas.text import escaped
from pydantic import BaseModel, ConfigDict, Field, field_validator

_COST: Final = 2**14
_BLOCK: Final = 8
_HASH: Final = re.compile(r"scrypt:([0-9a-f]{32}):([0-9a-f]{64})")
_LONGEST: Final = 256
_log = structlog.get_logger()


class UsersFile(BaseModel):
    """``users``: a hash for each name, as ``--hash-password`` prints it."""

    users: dict[User, str] = Field(default_factory=dict, description="Hash by name.")

    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("users")
    @classmethod
    def _hashes(cls, users: dict[str, str]) -> dict[str, str]:
        for name, text in users.items():
            if not _HASH.fullmatch(text):
                raise ValueError(f"expected scrypt:SALT:HASH for {name!r}, got something else")
        return users


class Users:
    """asyncua's user manager: it asks who a session is.

    Parameters
    ----------
    hashes
        By name.
    is_open
        Somebody without a name may look.
    """

    def __init__(self, hashes: dict[str, str], *, is_open: bool = False) -> None:
        self._hashes = hashes
        self._is_open = is_open
        self.refused = 0

    def get_user(
        self,
        _server: Any,
        username: str | None = None,
        password: str | None = None,
        certificate: Any = None,  # noqa: ARG002 - asyncua gives it by name
    ) -> AsyncuaUser | None:
        """Return who has logged in; None refuses the session."""
        if username is None:
            return AsyncuaUser(UserRole.User) if self._is_open else None
        text = password.decode(errors="replace") if isinstance(password, bytes) else password or ""
        if is_right(text, self._hashes.get(username, _DUMMY)) and username in self._hashes:
            return AsyncuaUser(UserRole.User, username)
        self.refused += 1
        _log.warning("login_refused", user=escaped(username)[:64])
        return None


def read_users(path: Path | None, *, is_open: bool) -> Users:
    """Return the users of a file; without one nobody has a name.

    Raises
    ------
    ConfigurationError
        If the file is wrong.
    """
    if path is None:
        return Users({}, is_open=is_open)
    try:
        return Users(dict(read_checked(path, UsersFile).users), is_open=is_open)
    except OSError as error:
        raise ConfigurationError(f"MELTWATCH_OPCUA_USERS_FILE: {path}: {error}") from error


def hash_of(password: str, salt: bytes | None = None) -> str:
    """Return what a users file holds of a password."""
    salt = secrets.token_bytes(16) if salt is None else salt
    digest = hashlib.scrypt(password.encode(), salt=salt, n=_COST, r=_BLOCK, p=1, dklen=32)
    return f"scrypt:{salt.hex()}:{digest.hex()}"


def is_right(password: str, text: str) -> bool:
    """Tell whether a password is the one of a hash."""
    found = _HASH.fullmatch(text)
    if found is None or len(password) > _LONGEST:
        return False
    return hmac.compare_digest(hash_of(password, bytes.fromhex(found[1])), text)


_DUMMY: Final = f"scrypt:{'0' * 32}:{'0' * 64}"
"""So that a name that is not known takes as long as a wrong password."""
