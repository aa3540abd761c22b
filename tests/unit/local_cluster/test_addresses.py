import random
import socket
import subprocess
import sys

import pytest
from meltwatch_chassis.errors import DependencyUnreachable
from meltwatch_local_cluster.servers import addresses
from meltwatch_local_cluster.servers.addresses import LOOPBACK, free_ports


def test_ports_are_distinct_and_below_the_ephemeral_range():
    ports = free_ports(50)
    assert len(set(ports)) == 50
    assert all(20_000 <= port <= 32_000 for port in ports)


def offer(monkeypatch, *ports: int):
    """Let chance come to these ports, one after the other."""
    offered = iter(ports)
    monkeypatch.setattr(random.SystemRandom, "randint", lambda *_: next(offered))


def unmarked():
    """A port that nobody has chosen."""
    with socket.socket() as probe, socket.socket(type=socket.SOCK_DGRAM) as mark:
        probe.bind((LOOPBACK, 0))
        mark.bind(probe.getsockname())
        return probe.getsockname()[1]


def test_a_port_that_is_taken_is_not_given(monkeypatch):
    taken, free = unmarked(), unmarked()
    with socket.socket() as listener:
        listener.bind((LOOPBACK, taken))
        offer(monkeypatch, taken, taken, free)
        assert free_ports(1) == [free]


@pytest.mark.programs
def test_a_port_that_a_process_was_given_is_given_to_nobody_as_long_as_it_lives(monkeypatch):
    """Its server may not have started yet, or may be about to start again."""
    other = "from meltwatch_local_cluster.servers.addresses import free_ports as f; print(*f(1))"
    wait = "import sys; sys.stdout.flush(); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", f"{other}; {wait}"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        given, free = int(process.stdout.readline()), unmarked()
        offer(monkeypatch, given, free, free, given)
        assert free_ports(1) == [free]
        process.stdin.close()
        process.wait()
        assert free_ports(1) == [given]


def test_a_machine_without_free_ports_is_refused_with_the_range(monkeypatch):
    only = unmarked()
    monkeypatch.setattr(addresses, "_LOWEST", only)
    monkeypatch.setattr(addresses, "_HIGHEST", only)
    with pytest.raises(DependencyUnreachable, match=f"expected 2 free ports.*{only}.*found 1"):
        free_ports(2)
