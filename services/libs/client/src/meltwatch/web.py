"""The console's door: requests out, answers in, none of them longer than it may be."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import quote, urlencode

import urllib3
from urllib3.exceptions import HTTPError

from meltwatch.errors import AnswerError, RefusedError, UnreachableError

MAX_ANSWER: Final = 128 * 1024 * 1024
_MAX_ERROR: Final = 64 * 1024
_ADDRESS: Final = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+(?:/[A-Za-z0-9._~\-/]*)?")
_OK: Final = 200
_HEADERS: Final = {"X-Meltwatch": "1", "Accept-Encoding": "identity"}
"""Nothing is unpacked: a small answer stays small."""
Parameters = Mapping[str, str | int | None]


class Door:
    """Asks a console.

    Parameters
    ----------
    address
        ``http://host:port``, ``https://name`` or with a path before ``/api``.
    token
        A signed token of the plant's login; None where nobody logs in.
    timeout_s
        For each answer.
    ca_file
        Certificates to trust; None takes those of the system.

    Raises
    ------
    ValueError
        If the address is none.
    """

    def __init__(
        self, address: str, token: str | None, timeout_s: float, ca_file: str | None
    ) -> None:
        if not _ADDRESS.fullmatch(address):
            raise ValueError(f"expected http://host:port or https://name, got {address[:200]!r}")
        self.address = address.rstrip("/")
        self._timeout_s = timeout_s
        self._headers = dict(_HEADERS)
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        self._pool = urllib3.PoolManager(ca_certs=ca_file, retries=False)

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()

    def get(self, path: str, accept: str, parameters: Parameters | None = None) -> bytes:
        """Return what stands at an address below ``/api/v1/``.

        Raises
        ------
        MeltwatchError
            If there is no answer, or not the one that is asked for.
        """
        with self._asked("GET", path, {"Accept": accept}, parameters) as answer:
            _check(answer)
            kind = answer.headers.get("Content-Type", "").partition(";")[0]
            if kind != accept:
                raise AnswerError(f"expected {accept} from {path}, got {kind[:100]!r}")
            return _body(answer, MAX_ANSWER)

    def json(self, path: str, parameters: Parameters | None = None) -> Any:
        """Return the JSON at an address."""
        return parsed(self.get(path, "application/json", parameters))

    def post(self, path: str, content: Any) -> tuple[int, Any]:
        """Send JSON; return status and answer, also of what was refused.

        Raises
        ------
        MeltwatchError
            If there is no answer.
        """
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        body = json.dumps(content).encode()
        with self._asked("POST", path, headers, body=body) as answer:
            return answer.status, parsed(_body(answer, MAX_ANSWER))

    @contextmanager
    def opened(
        self, path: str, headers: Mapping[str, str], silence_s: float
    ) -> "Iterator[urllib3.BaseHTTPResponse]":
        """Give an answer that goes on; reading fails where it is silent for so long."""
        with self._asked("GET", path, headers, timeout_s=silence_s) as answer:
            _check(answer)
            yield answer

    @contextmanager
    def _asked(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        parameters: Parameters | None = None,
        *,
        body: bytes | None = None,
        timeout_s: float | None = None,
    ) -> "Iterator[urllib3.BaseHTTPResponse]":
        given = {name: value for name, value in (parameters or {}).items() if value is not None}
        address = f"{self.address}/api/v1/{quote(path)}" + (f"?{urlencode(given)}" if given else "")
        try:
            answer = self._pool.request(
                method,
                address,
                body=body,
                headers=self._headers | dict(headers),
                timeout=urllib3.Timeout(connect=self._timeout_s, read=timeout_s or self._timeout_s),
                preload_content=False,
                redirect=False,
            )
        except (HTTPError, OSError) as error:
            raise UnreachableError(
                f"expected a console at {self.address}, {_said(error)}"
            ) from None
        try:
            yield answer
        except (HTTPError, OSError) as error:
            raise UnreachableError(f"{self.address} stopped answering: {_said(error)}") from None
        finally:
            answer.close()


def parsed(body: bytes) -> Any:
    """Return what JSON says.

    Raises
    ------
    AnswerError
        If it is none.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise AnswerError(f"expected JSON, got {body[:60]!r}") from error


def refusal(status: int, said: Any) -> RefusedError:
    """Return the error that an answer tells."""
    error = said.get("error") if isinstance(said, dict) else None
    newest = said.get("newest") if isinstance(said, dict) else None
    if not isinstance(error, dict):
        return RefusedError(status, "refused", f"status {status}, and no reason was given")
    code, message = (_line(error.get(name)) for name in ("code", "message"))
    return RefusedError(status, code, message, newest if isinstance(newest, dict) else None)


def _check(answer: "urllib3.BaseHTTPResponse") -> None:
    if answer.status != _OK:
        try:
            said = parsed(_body(answer, _MAX_ERROR))
        except AnswerError:
            said = None
        raise refusal(answer.status, said)


def _body(answer: "urllib3.BaseHTTPResponse", most: int) -> bytes:
    parts, size = [], 0
    for part in answer.stream(256 * 1024, decode_content=False):
        size += len(part)
        if size > most:
            raise AnswerError(f"expected at most {most} bytes, got more")
        parts.append(part)
    return b"".join(parts)


def _line(text: Any) -> str:
    """Return text from outside as one line that does nothing to a terminal."""
    return "".join(each if each.isprintable() else "?" for each in str(text))[:500]


def _said(error: BaseException) -> str:
    return _line(error.args[-1] if error.args else error)
