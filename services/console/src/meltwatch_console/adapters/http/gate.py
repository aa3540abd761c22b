"""Who asks, and whether a request may change anything: checked before any other code sees it."""

from dataclasses import dataclass
from typing import Final

import structlog
from fastapi import Request
from meltwatch_schemas.text import escaped

from meltwatch_console.adapters.tokens import TokenReader, TokenRefused
from meltwatch_console.domain.identity import ConsoleRole, Visitor

LOCAL: Final = Visitor("local", ConsoleRole.ENGINEER)
"""Who looks where nobody logs in: somebody at this machine."""
_TOKEN_HEADERS: Final = ("x-forwarded-access-token", "x-auth-request-access-token")
_BEARER: Final = "bearer "
_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_log = structlog.get_logger()


class ApiError(Exception):
    """A request is not answered as asked.

    Parameters
    ----------
    status
        Of HTTP.
    code
        A word for programs.
    message
        One line for people.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Gate:
    """Decides who a visitor is.

    Attributes
    ----------
    tokens
        Reads them; None where nobody logs in, on loopback alone.
    origin
        Of the page as browsers write it, where a proxy changes the host.
    """

    tokens: TokenReader | None
    origin: str | None = None

    def who(self, request: Request) -> Visitor:
        """Return who asks.

        Raises
        ------
        ApiError
            401 without a token that counts; 403 where the host is another's name for this machine.
        """
        if self.tokens is None:
            # Another site's name may be made to lead here (DNS rebinding); its Host tells.
            if _host_name(request) not in _LOOPBACK_NAMES:
                raise self._refusal(request, 403, "foreign_host", "expected a loopback address")
            return LOCAL
        token = _token(request)
        if token is None:
            raise self._refusal(request, 401, "no_token", "expected a signed token, got none")
        try:
            return self.tokens.visitor(token)
        except TokenRefused as error:
            raise self._refusal(request, 401, "bad_token", str(error)) from None

    def check_command(self, request: Request) -> None:
        """Refuse what a page of another origin could have sent.

        Raises
        ------
        ApiError
            403 or 415.
        """
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise self._refusal(request, 415, "wrong_type", "expected application/json")
        if request.headers.get("x-meltwatch") != "1":
            raise self._refusal(request, 403, "foreign_page", "expected the header X-Meltwatch: 1")
        if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            raise self._refusal(request, 403, "foreign_page", "expected a request of this page")
        origin = request.headers.get("origin")
        if origin is not None and not self._is_own(origin, request):
            raise self._refusal(request, 403, "foreign_page", "expected the origin of this page")

    def _is_own(self, origin: str, request: Request) -> bool:
        if self.origin is not None:
            return origin == self.origin
        return origin.partition("://")[2] == request.headers.get("host")

    @staticmethod
    def _refusal(request: Request, status: int, code: str, message: str) -> ApiError:
        address = request.client.host if request.client else None
        _log.warning(
            "request_refused", code=code, reason=message, address=address,
            path=escaped(request.url.path)[:200],
        )  # fmt: skip
        return ApiError(status, code, message)


def _token(request: Request) -> str | None:
    given = request.headers.get("authorization", "")
    if given.lower().startswith(_BEARER):
        return given[len(_BEARER) :].strip()
    found = (request.headers.get(name) for name in _TOKEN_HEADERS)
    return next(filter(None, found), None)


def _host_name(request: Request) -> str:
    host = request.headers.get("host", "")
    return host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
