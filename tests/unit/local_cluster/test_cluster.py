import os
import signal
import sys
from typing import ClassVar

import psutil
import pytest
from meltwatch_chassis.errors import DependencyUnreachable
from meltwatch_local_cluster.launch import cluster as cluster_module
from meltwatch_local_cluster.launch.cluster import Cluster, without_login
from meltwatch_local_cluster.launch.interrupts import Interrupts
from meltwatch_local_cluster.launch.leftovers import ProcessRecord
from meltwatch_local_cluster.servers import Server
from meltwatch_local_cluster.servers.addresses import free_ports
from meltwatch_local_cluster.servers.child import ChildCommand
from meltwatch_local_cluster.settings import Settings

from tests.support.waiting import until
from tests.unit.local_cluster.processes import PARENT_OF_SLEEPER, is_gone


def addresses(names):
    ports = dict(zip(("kafka", "redis", "triton"), free_ports(3), strict=True))
    closed = {
        "kafka": f"127.0.0.1:{ports['kafka']}",
        "redis": f"redis://operator:secret@127.0.0.1:{ports['redis']}/0",
        "triton": f"127.0.0.1:{ports['triton']}",
    }
    return {name: address for name, address in closed.items() if name in names}


@pytest.mark.parametrize("name", ["kafka", "redis", "triton"])
def test_a_server_of_others_that_does_not_answer_is_named_without_its_password(name, tmp_path):
    given = addresses([name])
    cluster = Cluster(Settings(**given), {}, tmp_path)
    with pytest.raises(DependencyUnreachable) as refused:
        cluster.start(ProcessRecord(tmp_path), Interrupts())
    text = str(refused.value)
    assert refused.value.exit_code == 3
    assert f"MELTWATCH_{name.upper()}: expected a server that answers at" in text
    assert without_login(given[name]) in text
    assert "secret" not in text


class ServerWithChild(Server):
    """Never answers; what it prints is the id of its child."""

    name: ClassVar[str] = "redis"
    grace_s: ClassVar[float] = 1.0
    address = "127.0.0.1:1"

    def prepare(self) -> None:
        pass

    def answers(self) -> bool:
        return False

    def _command(self) -> ChildCommand:
        argv = [sys.executable, "-c", PARENT_OF_SLEEPER, "with-child"]
        return ChildCommand(argv, dict(os.environ), self.log, "with-child")


@pytest.mark.programs
def test_a_signal_in_the_midst_of_a_start_leaves_no_grandchild(tmp_path, monkeypatch):
    """Triton's stubs outlive it: whoever interrupts its start must still know what to end."""
    monkeypatch.setattr(cluster_module, "RedisServer", ServerWithChild)
    monkeypatch.setattr(cluster_module, "_ANSWERS", dict.fromkeys(("kafka", "triton"), bool))
    cluster = Cluster(Settings(**addresses(["kafka", "triton"])), {"PATH": "/bin"}, tmp_path)
    log = tmp_path / "logs" / "redis.log"

    def interrupted(pid: int) -> psutil.Process:
        os.kill(os.getpid(), signal.SIGTERM)
        return found(pid)

    found = psutil.Process
    with Interrupts() as interrupts, monkeypatch.context() as patched:
        patched.setattr(psutil, "Process", interrupted)
        with pytest.raises(KeyboardInterrupt):
            cluster.start(ProcessRecord(tmp_path), interrupts)
    until(lambda: log.read_text().strip().isdigit(), "the child has a child")
    cluster.stop()
    until(lambda: is_gone(int(log.read_text())), "the grandchild is gone")


def test_services_are_told_every_address_and_what_else_the_environment_holds(tmp_path):
    given = addresses(["redis"])
    cluster = Cluster(Settings(**given), {"PATH": "/bin"}, tmp_path)
    assert cluster.environ["MELTWATCH_REDIS"] == given["redis"]
    assert cluster.environ["MELTWATCH_KAFKA"] == cluster.addresses["kafka"]
    assert cluster.environ["PATH"] == "/bin"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("redis://user:pa@ss@host:1/0", "redis://host:1/0"),
        ("redis://host:1/0", "redis://host:1/0"),
        ("host:1", "host:1"),
    ],
)
def test_an_address_is_shown_without_its_login(address, shown):
    assert without_login(address) == shown
