"""Triton from its wheel, in a Python of its own beside the checkout's.

The wheel's Python binding reads every tensor as zeros under numpy 2, without an error. So its
models run in ``.venv-triton``, which ``triton_models/server/uv.lock`` pins to numpy 1.
"""

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from meltwatch_chassis.errors import DependencyUnreachable

from meltwatch_local_cluster.servers.cache import set_up_alone
from meltwatch_local_cluster.servers.checkout import checkout_folder
from meltwatch_local_cluster.steps import step

_SET_UP_TIMEOUT_S = 900
_ASK = """\
import ctypes, json, numpy, sys, sysconfig
folder, file = sysconfig.get_config_vars("LIBDIR", "INSTSONAME")
def loads(library):
    try:
        return bool(ctypes.CDLL(library))
    except OSError:
        return False
facts = {
    "python": f"{sys.version_info.major}.{sys.version_info.minor}",
    "numpy": numpy.__version__,
    "library_folder": folder,
    "library": file,
    "has_library": loads(f"{folder}/{file}") or loads(file),
}
print(json.dumps(facts))
"""


@dataclass(frozen=True)
class TritonInstallation:
    """Where the parts of an installed Triton lie.

    Attributes
    ----------
    fingerprint
        Of the lock and the stand-in backend that it was made from.
    program
        ``tritonserver``.
    backends
        Backend folder: ``python`` and the stand-in ``onnxruntime``.
    caches
        Folder of response caches.
    commands
        ``bin`` of the virtual environment, by which the model stubs find their Python.
    libraries
        Value for ``LD_LIBRARY_PATH``.
    """

    fingerprint: str
    program: str
    backends: str
    caches: str
    commands: str
    libraries: str


def triton_installation() -> TritonInstallation:
    """Give the checkout's Triton, installing it when it is missing or out of date.

    Raises
    ------
    DependencyUnreachable
        If uv is missing, a download fails or the result is not usable.
    ConfigurationError
        If there is no checkout.
    """
    checkout = checkout_folder()
    target = checkout / ".venv-triton"
    fingerprint = _fingerprint(checkout)
    with set_up_alone():
        found = _installed(target / "installation.json")
        if found is not None and found.fingerprint == fingerprint:
            return found
        with step("installing Triton Inference Server: 60 MB, once"):
            facts = _synchronise(checkout, target)
            made = TritonInstallation(fingerprint, **_assemble(checkout, target, facts))
        (target / "installation.json").write_text(json.dumps(asdict(made)), encoding="utf-8")
        return made


def _fingerprint(checkout: Path) -> str:
    models = checkout / "triton_models"
    parts = (models / "server" / "uv.lock", models / "backends" / "onnxruntime" / "model.py")
    contents = b"".join(part.read_bytes() for part in parts)
    return hashlib.sha256(str(checkout).encode() + contents).hexdigest()


def _installed(record: Path) -> TritonInstallation | None:
    try:
        found = TritonInstallation(**json.loads(record.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    python = Path(found.commands, "python")  # a link that dangles once its Python is removed
    return found if python.exists() and Path(found.program).exists() else None


def _synchronise(checkout: Path, target: Path) -> dict[str, Any]:
    """Fill the virtual environment, and give the facts about its Python.

    Triton's stubs load Python as a shared library, which a distribution's Python may lack; then
    uv fetches one of its own, which has it.
    """
    project = checkout / "triton_models" / "server"
    sync = [*uv_command(checkout), "sync", "--frozen", "--quiet", "--project", str(project)]
    for options in ([], ["--managed-python"]):
        _run([*sync, *options], {"UV_PROJECT_ENVIRONMENT": str(target)})
        facts: dict[str, Any] = json.loads(_run([str(target / "bin" / "python"), "-c", _ASK], {}))
        if facts["has_library"]:
            return facts
    raise DependencyUnreachable(
        f"Triton: expected {facts['library']} in {facts['library_folder']}, found none; install "
        f"your distribution's libpython{facts['python']}"
    )


def _assemble(checkout: Path, target: Path, facts: dict[str, Any]) -> dict[str, str]:
    """Copy the backends together: Triton refuses links that lead out of their folder."""
    if int(facts["numpy"].split(".")[0]) >= 2:
        raise DependencyUnreachable(f"Triton: expected numpy 1 in {target}, found {facts['numpy']}")
    packages = target / "lib" / f"python{facts['python']}" / "site-packages"
    server = packages / "pytriton" / "tritonserver"
    backends = target / "backends"
    shutil.rmtree(backends, ignore_errors=True)
    shutil.copytree(server / "backends" / "python", backends / "python")
    stub = server / "python_backend_stubs" / facts["python"] / "triton_python_backend_stub"
    shutil.copy2(stub, backends / "python")
    shutil.copytree(checkout / "triton_models" / "backends", backends, dirs_exist_ok=True)
    return {
        "program": str(server / "bin" / "tritonserver"),
        "backends": str(backends),
        "caches": str(server / "caches"),
        "commands": str(target / "bin"),
        "libraries": f"{facts['library_folder']}:{packages / 'nvidia_pytriton.libs'}",
    }


def _run(command: list[str], environment: dict[str, str]) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - our own command lines, no shell
            command,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=_SET_UP_TIMEOUT_S,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["no output"])[-1]
        raise DependencyUnreachable(
            f"Triton: expected '{' '.join(command)}' to succeed: {last}"
        ) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DependencyUnreachable(f"Triton: cannot set up its Python: {error}") from error
    return done.stdout


def uv_command(checkout: Path) -> list[str]:
    """Find uv: the one that runs us, on PATH, in our Python, or where the Makefile puts it.

    Parameters
    ----------
    checkout
        Root of the repository, whose ``.tools`` the Makefile fills.

    Returns
    -------
    The beginning of a command line.

    Raises
    ------
    DependencyUnreachable
        If there is none.
    """
    if program := os.environ.get("UV") or shutil.which("uv"):
        return [program]
    if importlib.util.find_spec("uv"):
        return [sys.executable, "-m", "uv"]
    own = checkout / ".tools" / "bin" / "uv"
    if own.exists():
        return [str(own)]
    raise DependencyUnreachable(
        f"Triton: expected uv in $UV, on PATH, as a module of {sys.executable} or at {own}, "
        "found none; run 'make run', or 'pip install uv'"
    )
