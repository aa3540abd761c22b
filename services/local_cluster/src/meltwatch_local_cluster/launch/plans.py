"""Which services a run has, what each is told, and the plant file of a demo."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import yaml
from meltwatch_chassis.errors import ConfigurationError

from meltwatch_local_cluster.ports import RunScenario
from meltwatch_local_cluster.servers.addresses import LOOPBACK, free_ports

PIPELINE = ("stream_processor", "alarm_manager")
PRODUCERS = ("video_producer", "current_producer")
SOURCE_PRODUCER = "source_producer"
CONSOLE = "console"
CONSOLE_ADDRESS = "MELTWATCH_CONSOLE_ADDRESS"
_BACKTESTS = "MELTWATCH_CONSOLE_BACKTESTS"
_METRICS = "MELTWATCH_CONSOLE_METRICS"
# Variables of the launcher alone, or different for each service.
_NOT_PASSED_ON = ("MELTWATCH_STATE_DIR", "MELTWATCH_HEALTH_ADDRESS")
# Static group members: one that died and was started again takes its work up at once.
_MEMBERSHIP = {
    "stream_processor": {"MELTWATCH_GROUP_INSTANCE_ID": "local-0"},
    "alarm_manager": {"MELTWATCH_ALARM_MANAGER_INSTANCE": "local-0"},
}


@dataclass(frozen=True)
class ServicePlan:
    """How to run a service.

    Attributes
    ----------
    name
        As in the folder of services: its module is ``meltwatch_<name>``.
    environment
        Its environment variables.
    health_address
        Where it serves ``/readyz``, ``host:port``.
    log
        File for its output.
    may_finish
        Whether it may end by itself, as a producer whose stream ends does.
    """

    name: str
    environment: Mapping[str, str]
    health_address: str
    log: Path
    may_finish: bool = False


def service_plans(
    names: Sequence[str],
    environ: Mapping[str, str],
    logs: Path,
    scenario: RunScenario | None = None,
) -> list[ServicePlan]:
    """Plan services that share an environment, each with a health address and log of its own.

    Parameters
    ----------
    names
        Of services, such as ``PIPELINE``.
    environ
        What all are told, addresses of the servers included.
    logs
        Folder of log files.
    scenario
        What producers simulate; its services may end by themselves.
    """
    inherited = {name: value for name, value in environ.items() if name not in _NOT_PASSED_ON}
    simulation = simulator_environment(scenario) if scenario else {}
    plans = []
    for name, port in zip(names, free_ports(len(names)), strict=True):
        health = f"{LOOPBACK}:{port}"
        own = {"MELTWATCH_HEALTH_ADDRESS": health, "PYTHONUNBUFFERED": "1"}
        environment = {**inherited, **_MEMBERSHIP.get(name, {}), **simulation, **own}
        plans.append(
            ServicePlan(name, environment, health, logs / f"{name}.log", scenario is not None)
        )
    return plans


def simulator_environment(scenario: RunScenario) -> dict[str, str]:
    """Return the variables that tell a producer what to simulate or to play back."""
    told = {
        "MELTWATCH_SIMULATOR_SEED": str(scenario.seed),
        "MELTWATCH_SIMULATOR_FURNACES": str(scenario.furnaces),
        "MELTWATCH_SIMULATOR_ORIGIN_NS": str(scenario.origin_ns),
    }
    if scenario.duration_s is not None:
        told["MELTWATCH_SIMULATOR_DURATION_S"] = f"{scenario.duration_s:g}"
    if scenario.recording is not None:
        told["MELTWATCH_RECORDING_DIR"] = str(scenario.recording.absolute())
    return told


def check_live_installed() -> None:
    """Refuse a run of a plant's own sources where what reads them is not installed.

    Raises
    ------
    ConfigurationError
        If it is not.
    """
    if not all(map(find_spec, ("meltwatch_sources", "av", "pymodbus"))):
        raise ConfigurationError(
            "--plant: expected the package meltwatch-producers with its option 'live', found it "
            "without; `make run PLANT=plant.yaml` installs it"
        )


def console_environment(environ: Mapping[str, str], services: Mapping[str, str]) -> dict[str, str]:
    """Return what the console of a run is told.

    It listens on a free port of this machine alone, and shows the backtests that are made here.

    Parameters
    ----------
    environ
        What somebody has said counts more.
    services
        Whose metrics it looks at: health addresses by name.
    """
    address = environ.get(CONSOLE_ADDRESS) or f"{LOOPBACK}:{free_ports(1)[0]}"
    backtests = environ.get(_BACKTESTS) or str(Path("backtests").absolute())
    seen = ",".join(f"{name}={where}" for name, where in services.items())
    metrics = environ.get(_METRICS) or seen
    return {CONSOLE_ADDRESS: address, _BACKTESTS: backtests, _METRICS: metrics}


def live_environment(spool: Path) -> dict[str, str]:
    """Return the variables that tell the source producer where records wait for Kafka.

    Parameters
    ----------
    spool
        A folder of this run, which is made.
    """
    spool.mkdir(parents=True, exist_ok=True)
    return {"MELTWATCH_SPOOL_DIR": str(spool.absolute())}


def write_plant_file(file: Path, furnaces: Sequence[str], notes: str) -> Path:
    """Write a plant file with furnaces that have the default alarm points, and return its path.

    Parameters
    ----------
    file
        To be written; its folder is made.
    furnaces
        Furnace ids.
    notes
        What to say of each.
    """
    plant = {
        "furnaces": [
            {"id": furnace, "name": furnace.rpartition("/")[2], "notes": notes}
            for furnace in furnaces
        ]
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(plant, sort_keys=False), encoding="utf-8")
    return file
