"""Signed tokens of the plant's login, checked against keys in a file: no request leaves here."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import jwt
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_schemas.bounds import MAX_USER
from meltwatch_schemas.text import escaped, is_printable

from meltwatch_console.domain.identity import ConsoleRole, Visitor, role_of

ALGORITHMS: Final = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip
"""Signatures by a key pair alone: ``none`` and shared secrets are not among them."""
_LEEWAY_S: Final = 10
_MAX_TOKEN: Final = 16 * 1024
_MAX_FILE: Final = 1024 * 1024


class TokenRefused(Exception):  # noqa: N818 - the name says what is the matter
    """A token is not one that counts; the reason holds nothing of it."""


class TokenReader:
    """Reads who a visitor is from a token.

    Parameters
    ----------
    keys
        File with a JSON Web Key Set; read again when it has changed.
    issuer, audience
        What the token must name.
    groups
        Role of each group.

    Raises
    ------
    ConfigurationError
        If the file holds no key that can check a signature.
    """

    def __init__(
        self, keys: Path, issuer: str, audience: str, groups: Mapping[str, ConsoleRole]
    ) -> None:
        self._file = keys
        self._issuer = issuer
        self._audience = audience
        self._groups = groups
        self._keys = _read_keys(keys)
        self._changed_ns = keys.stat().st_mtime_ns

    def visitor(self, token: str) -> Visitor:
        """Return whom a token names.

        Raises
        ------
        TokenRefused
            If it does not count.
        """
        if len(token) > _MAX_TOKEN:
            raise TokenRefused(f"expected a token of at most {_MAX_TOKEN} characters")
        try:
            key = self._key(jwt.get_unverified_header(token).get("kid"))
            claims = jwt.decode(
                token, key, algorithms=ALGORITHMS, issuer=self._issuer, audience=self._audience,
                leeway=_LEEWAY_S, options={"require": ["exp", "iss", "aud"]},
            )  # fmt: skip
        except jwt.PyJWTError as error:
            raise TokenRefused(escaped(str(error))[:200]) from None
        return self._named(claims)

    def _named(self, claims: Mapping[str, Any]) -> Visitor:
        user = claims.get("preferred_username")
        if not isinstance(user, str) or not 1 <= len(user) <= MAX_USER or not is_printable(user):
            raise TokenRefused(f"expected preferred_username of 1..{MAX_USER} printable characters")
        groups = claims.get("groups", ())
        named = groups if isinstance(groups, list) else ()
        return Visitor(
            user, role_of((each for each in named if isinstance(each, str)), self._groups)
        )

    def _key(self, kid: object) -> jwt.PyJWK:
        if kid not in self._keys:
            self._read_again()
        if kid is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        if kid not in self._keys:
            raise TokenRefused("expected a token signed by a key of the key set")
        return self._keys[kid]

    def _read_again(self) -> None:
        try:
            changed_ns = self._file.stat().st_mtime_ns
            if changed_ns != self._changed_ns:
                self._keys, self._changed_ns = _read_keys(self._file), changed_ns
        except (OSError, ConfigurationError):
            return  # what was read before still counts


def _read_keys(file: Path) -> dict[object, jwt.PyJWK]:
    try:
        with file.open("rb") as opened:
            found = json.loads(opened.read(_MAX_FILE))["keys"]
        keys = [jwt.PyJWK(each) for each in found if each.get("kty") != "oct"]
    except (
        OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, jwt.PyJWTError,
    ) as error:  # fmt: skip
        raise ConfigurationError(
            f"MELTWATCH_CONSOLE_JWKS_FILE: expected a JSON Web Key Set, got {file}: "
            f"{escaped(str(error))}"
        ) from None
    if not keys:
        raise ConfigurationError(
            f"MELTWATCH_CONSOLE_JWKS_FILE: expected a public key in {file}, got none"
        )
    return {key.key_id: key for key in keys}
