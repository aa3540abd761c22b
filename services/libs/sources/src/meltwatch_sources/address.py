"""Addresses of sources: what they may look like, and that no login is in them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl

VIDEO_SCHEMES: Final = frozenset({"rtsp", "rtsps", "file"})
CURRENT_SCHEMES: Final = frozenset({"modbus+tcp", "opc.tcp", "mqtt", "mqtts"})
SAME_SCHEMES: Final = {"modbus-tcp": "modbus+tcp"}
LATER_SCHEMES: Final = frozenset({"http", "https", "v4l2", "gige", "u3v"})
DEFAULT_PORTS: Final = {
    "rtsp": 554,
    "rtsps": 322,
    "modbus+tcp": 502,
    "opc.tcp": 4840,
    "mqtt": 1883,
    "mqtts": 8883,
}
_SHAPE: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?P<rest>\S.*)", re.DOTALL)
_NETWORK: Final = re.compile(
    r"//(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[^\s?#]*)?(\?(?P<query>[^\s#]*))?"
)
_SECRET: Final = re.compile(r"passw|pwd|secret|token|user(name)?[=:]|login[=:]", re.IGNORECASE)
_LONGEST: Final = 1024


@dataclass(frozen=True, slots=True)
class Address:
    """Where a source is. It holds no login, so it may be shown.

    Attributes
    ----------
    text
        As it stands in the plant file.
    scheme
        Chooses the adapter.
    host, port
        Of a network source; empty and 0 of a file.
    path
        Behind the host, or of the file.
    query
        Its options.
    """

    text: str
    scheme: str
    host: str = ""
    port: int = 0
    path: str = ""
    query: Mapping[str, str] = field(default_factory=dict, hash=False)

    def file(self, folder: Path) -> Path:
        """Return the path of a ``file:`` address; a relative one begins at a folder."""
        return folder / self.path.removeprefix("//")


def parse_address(text: str, schemes: frozenset[str]) -> Address:
    """Return what an address says.

    Parameters
    ----------
    text
        As somebody wrote it. An error never repeats it: a login may be in it.
    schemes
        Those that may come.

    Raises
    ------
    ValueError
        With what was expected and what to do.
    """
    if len(text) > _LONGEST or not text.isprintable():
        raise ValueError(f"expected a printable address of at most {_LONGEST} characters")
    found = _SHAPE.fullmatch(text)
    written = found["scheme"].lower() if found else ""
    scheme = SAME_SCHEMES.get(written, written)
    if found is None or scheme not in schemes:
        known = ", ".join(sorted(schemes))
        got = f"{scheme}:, which comes with a later version" if scheme in LATER_SCHEMES else "none"
        raise ValueError(f"expected an address that begins with one of {known}, got {got}")
    if scheme == "file":
        return Address(text, scheme, path=found["rest"])
    _refuse_login(found["rest"])
    where = _NETWORK.fullmatch(found["rest"])
    port = int((where and where["port"]) or DEFAULT_PORTS[scheme])
    if where is None or not 0 < port <= 65_535:
        raise ValueError(f"expected {scheme}://host:port/path, and nothing like it came")
    return Address(
        text, scheme, where["host"], port, where["path"] or "",
        dict(parse_qsl(where["query"] or "", keep_blank_values=True)),
    )  # fmt: skip


def _refuse_login(rest: str) -> None:
    if "@" in rest or _SECRET.search(rest):
        raise ValueError(
            "expected an address without a login; put username and password into a folder of "
            "credentials_dir and name it with 'credentials:'"
        )
