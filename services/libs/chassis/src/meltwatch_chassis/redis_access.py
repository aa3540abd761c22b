"""From settings to the arguments of a Redis client, and from its errors to one line each."""

import ssl
from typing import Any, Final
from urllib.parse import urlsplit

from meltwatch_schemas.text import escaped

from meltwatch_chassis.connecting import Peer, tls_context, tls_problem
from meltwatch_chassis.errors import ConfigurationError, DependencyUnreachable, FatalError
from meltwatch_chassis.secret import password
from meltwatch_chassis.settings import RedisSettings

_LONGEST: Final = 300
_CA: Final = "MELTWATCH_REDIS_CA_FILE"


def redis_login(settings: RedisSettings) -> dict[str, Any]:
    """Return a client's arguments beside the address: user, password, CA file, where given.

    Raises
    ------
    ConfigurationError
        If there is a CA file and no TLS, or a file cannot be read.
    """
    _context(settings)
    secret = password("redis_password", settings.redis_password, settings.redis_password_file)
    login = {
        "username": settings.redis_username,
        "password": secret,
        "ssl_ca_certs": str(settings.redis_ca_file) if settings.redis_ca_file else None,
    }
    return {name: value for name, value in login.items() if value is not None}


def redis_problem(settings: RedisSettings, error: Exception) -> FatalError:
    """Return the cause of a client's error: no entry, a missing right, or what the client said.

    Parameters
    ----------
    settings
        Where Redis is.
    error
        What a client raised; recognised by name, because processes without Redis do not install its
        client.
    """
    peer = _peer(settings)
    kinds = {kind.__name__ for kind in type(error).__mro__}
    said = escaped(" ".join(str(error).split()).rstrip("."))[:_LONGEST] or type(error).__name__
    who = f"user {settings.redis_username or 'default'!r}"
    if kinds & {"AuthenticationError", "AuthenticationWrongNumberOfArgsError"}:
        return peer.wrong(f"it to let {who} in", said)
    if "NoPermissionError" in kinds or "ACL failure in script" in said:
        return ConfigurationError(
            f"{peer}: expected the rights that 'meltwatch topics acls' prints for {who}, "
            f"got a refusal: {said}"
        )
    if kinds & {"ConnectionError", "TimeoutError", "InvalidResponse", "OSError"}:
        try:
            problem = tls_problem(peer, _context(settings))
        except ConfigurationError as wrong:
            problem = wrong
        if problem is not None:
            return problem
    return DependencyUnreachable(f"{peer}: expected an answer, got: {said}")


def _peer(settings: RedisSettings) -> Peer:
    place = urlsplit(settings.redis)
    host = place.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return Peer("Redis", f"{host}:{place.port or 6379}", _CA)


def _context(settings: RedisSettings) -> ssl.SSLContext | None:
    if settings.redis.startswith("rediss://"):
        return tls_context(settings.redis_ca_file, _CA)
    if settings.redis_ca_file is not None:
        raise ConfigurationError(
            f"MELTWATCH_REDIS: expected rediss:// (TLS) beside {_CA}, got redis://"
        )
    return None
