"""The page itself: a fixed set of files, read once, compressed once."""

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response

FOLDER: Final = Path(__file__).parents[2] / "static"
_KINDS: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class _StaticFile:
    kind: str
    plain: bytes
    packed: bytes
    tag: str

    def answer(self, request: Request) -> Response:
        headers = {"ETag": self.tag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        if request.headers.get("if-none-match") == self.tag:
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            return Response(self.packed, media_type=self.kind, headers=headers)
        return Response(self.plain, media_type=self.kind, headers=headers)


def static_routes() -> APIRouter:
    """Return a route for each file: what is not in the folder has no address."""
    router = APIRouter(include_in_schema=False)
    for path in sorted(FOLDER.rglob("*")):
        if path.suffix in _KINDS:
            _add(router, f"/{path.relative_to(FOLDER).as_posix()}", _read(path))
    _add(router, "/", _read(FOLDER / "index.html"))
    return router


def _add(router: APIRouter, address: str, file: _StaticFile) -> None:
    async def answer(request: Request) -> Response:
        return file.answer(request)

    router.add_api_route(address, answer, methods=["GET", "HEAD"])


def _read(path: Path) -> _StaticFile:
    plain = path.read_bytes()
    digest = hashlib.sha256(plain).hexdigest()[:32]
    return _StaticFile(_KINDS[path.suffix], plain, gzip.compress(plain, mtime=0), f'"{digest}"')
