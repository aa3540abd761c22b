"""The OPC UA server of a run, for clients on this machine: an endpoint and a demo's login."""

import secrets
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import yaml
from meltwatch_chassis.errors import ConfigurationError

from meltwatch_local_cluster.servers.addresses import LOOPBACK, free_ports, is_free

SERVICE: Final = "scada_adapter"
_PORT: Final = 4840
_USER: Final = "operator"
_ADDRESS: Final = "MELTWATCH_OPCUA_ADDRESS"
_USERS: Final = "MELTWATCH_OPCUA_USERS_FILE"
_ROLES: Final = "MELTWATCH_ROLES_FILE"
_MQTT: Final = "MELTWATCH_MQTT"
_STATE_FILE: Final = "MELTWATCH_SPARKPLUG_STATE_FILE"
_SPARKPLUG_USER: Final = "MELTWATCH_SPARKPLUG_USER"


@dataclass(frozen=True)
class OpcuaDemo:
    """What the adapter is told, and what is told to the person who started the run.

    Attributes
    ----------
    environment
        Further variables of the adapter.
    invitation
        Endpoint and login, one line.
    """

    environment: Mapping[str, str]
    invitation: str


def check_installed() -> None:
    """Refuse a run with OPC UA where the adapter is not installed.

    Raises
    ------
    ConfigurationError
        If it is not.
    """
    if find_spec(f"meltwatch_{SERVICE}") is None:
        raise ConfigurationError(
            "--opcua: expected the package meltwatch-scada-adapter, found none; "
            "`make run OPCUA=yes` installs it"
        )


def prepare_opcua(environ: Mapping[str, str], folder: Path) -> OpcuaDemo:
    """Choose an endpoint, and make a login for this run unless the user has named people.

    Parameters
    ----------
    environ
        What the user has set counts.
    folder
        Where the demo's files go.
    """
    address = environ.get(_ADDRESS) or f"{LOOPBACK}:{_free_port()}"
    told = {
        "MELTWATCH_OPCUA_CERTIFICATE_DIR": str(folder / "certificates"),
        # Nobody but this machine reaches the endpoint, and clients make certificates as they come.
        "MELTWATCH_OPCUA_TRUST_ALL": "true",
        _ADDRESS: address,
    } | {name: value for name, value in environ.items() if name.startswith("MELTWATCH_OPCUA_")}
    told |= _sparkplug(environ, folder)
    endpoint = f"OPC UA: opc.tcp://{address}/meltwatch, Basic256Sha256"
    if _USERS in environ:
        return OpcuaDemo(told, endpoint)
    password = secrets.token_hex(4)
    files = {
        _USERS: ("users.yaml", {"users": {_USER: _hash_of(password)}}),
        _ROLES: ("roles.yaml", {"users": {_USER: {"engineer": "all"}}}),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for variable, (name, content) in files.items():
        file = folder / name
        file.touch(mode=0o600)
        file.write_text(yaml.safe_dump(content), encoding="utf-8")
        told.setdefault(variable, str(file.absolute()))
    return OpcuaDemo(told, f"{endpoint}, user {_USER}, password {password} (of this run)")


def _sparkplug(environ: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return what the edge node is told, where the user has named an MQTT broker."""
    if _MQTT not in environ:
        return {}
    folder.mkdir(parents=True, exist_ok=True)
    ours = {_STATE_FILE: str((folder / "bdseq").absolute()), _SPARKPLUG_USER: _USER}
    return {name: environ.get(name, value) for name, value in ours.items()}


def _free_port() -> int:
    """Return the port that OPC UA clients expect, or another one if it is taken."""
    return _PORT if is_free(_PORT) else free_ports(1)[0]


def _hash_of(password: str) -> str:
    # A process, because services do not import each other; the password is in no argument.
    program = [sys.executable, "-m", f"meltwatch_{SERVICE}", "--hash-password"]
    done = subprocess.run(  # noqa: S603 - our own program, no shell
        program, input=f"{password}\n", capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
