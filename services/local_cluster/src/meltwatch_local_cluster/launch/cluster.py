"""The three servers of a run: ours, or those that the environment names."""

from collections.abc import Mapping
from pathlib import Path

from meltwatch_chassis.errors import DependencyUnreachable
from meltwatch_chassis.kafka.access import is_served
from meltwatch_chassis.kafka.config import connection_arguments
from meltwatch_chassis.redis_access import redis_login
from meltwatch_chassis.run_state import ServiceState
from meltwatch_chassis.settings import KafkaSettings, RedisSettings, TritonSettings, load

from meltwatch_local_cluster.launch.interrupts import Interrupts
from meltwatch_local_cluster.launch.leftovers import DATA_FOLDER, ProcessRecord
from meltwatch_local_cluster.servers import KafkaServer, RedisServer, Server, TritonServer
from meltwatch_local_cluster.servers.redis import redis_answers
from meltwatch_local_cluster.servers.triton import triton_answers
from meltwatch_local_cluster.settings import Settings
from meltwatch_local_cluster.steps import step

LOG_FOLDER = "logs"


class Cluster:
    """Kafka, Redis and Triton, wherever they are.

    Parameters
    ----------
    settings
        A server whose address they give is used and not started.
    environ
        The environment, for how to log in to those.
    folder
        State folder of the run.
    """

    def __init__(self, settings: Settings, environ: Mapping[str, str], folder: Path) -> None:
        kinds: dict[str, type[Server]] = {
            "kafka": KafkaServer,
            "redis": RedisServer,
            "triton": TritonServer,
        }
        self._own = {
            name: kind(folder / DATA_FOLDER / name, folder / LOG_FOLDER / f"{name}.log")
            for name, kind in kinds.items()
            if getattr(settings, name) is None
        }
        self.folder = folder
        self.addresses = {
            name: getattr(settings, name) or self._own[name].address for name in kinds
        }
        ours = {f"MELTWATCH_{name.upper()}": address for name, address in self.addresses.items()}
        self.environ = {**environ, **ours}

    @property
    def shown_addresses(self) -> dict[str, str]:
        """The three addresses, fit to be shown: without passwords."""
        return {name: without_login(address) for name, address in self.addresses.items()}

    @property
    def states(self) -> dict[str, ServiceState]:
        """Our own servers by name; others' servers are not watched."""
        return {name: server.state for name, server in self._own.items()}

    def problems(self) -> list[str]:
        """Say which of our servers have ended, one line each."""
        return [
            f"{name}: expected it to live, it {state.detail}"
            for name, state in self.states.items()
            if state.state == "down"
        ]

    def start(self, record: ProcessRecord, interrupts: Interrupts) -> None:
        """Start our servers side by side, and wait until all three answer.

        Parameters
        ----------
        record
            Told of each process.
        interrupts
            Held from each start until ``stop`` knows of it: Triton's children would outlive it.

        Raises
        ------
        DependencyUnreachable
            If one does not answer; with its last words or its address.
        """
        self._check_others()
        for server in self._own.values():
            server.prepare()
        if not self._own:
            return
        with step(f"starting {', '.join(self._own)}"):
            for name, server in self._own.items():
                with interrupts.held():
                    record.add_process(name, server.start(), server.shared_memory_prefix)
            for server in self._own.values():
                server.wait_ready()

    def stop(self) -> None:
        """End our servers; those of others are left alone."""
        for server in self._own.values():
            server.terminate()
        for server in self._own.values():
            server.stop()

    def _check_others(self) -> None:
        for name, address in self.addresses.items():
            if name not in self._own and not _ANSWERS[name](self.environ):
                raise DependencyUnreachable(
                    f"MELTWATCH_{name.upper()}: expected a server that answers at "
                    f"{without_login(address)}, got no answer; start it, or unset the variable "
                    "to have one started"
                )


def without_login(address: str) -> str:
    """Give an address without the user and password that a URL may carry."""
    scheme, separator, rest = address.rpartition("://")
    return scheme + separator + rest.rpartition("@")[2]


def _kafka_answers(environ: Mapping[str, str]) -> bool:
    return is_served(connection_arguments(load(KafkaSettings, environ)))


def _redis_answers(environ: Mapping[str, str]) -> bool:
    settings = load(RedisSettings, environ)
    return redis_answers(settings.redis, **redis_login(settings))


def _triton_answers(environ: Mapping[str, str]) -> bool:
    settings = load(TritonSettings, environ)
    tls, ca_file = settings.triton_tls, settings.triton_ca_file
    # The stream processor keeps working without the others.
    return any(
        triton_answers(address, tls=tls, ca_file=ca_file) for address in settings.triton_endpoints
    )


_ANSWERS = {"kafka": _kafka_answers, "redis": _redis_answers, "triton": _triton_answers}
