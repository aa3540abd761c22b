import random
import socket

import pytest
from meltwatch_chassis.errors import DependencyUnreachable
from meltwatch_local_cluster.servers import addresses
from meltwatch_local_cluster.servers.addresses import LOOPBACK, free_ports


def test_ports_are_distinct_and_below_the_ephemeral_range():
    ports = free_ports(50)
    assert len(set(ports)) == 50
    assert all(20_000 <= port <= 32_000 for port in ports)


def test_a_port_that_is_taken_is_not_given(monkeypatch):
    taken, free = free_ports(2)
    offered = iter([taken, taken, free])
    with socket.socket() as listener:
        listener.bind((LOOPBACK, taken))
        monkeypatch.setattr(random.SystemRandom, "randint", lambda *_: next(offered))
        assert free_ports(1) == [free]


def test_a_machine_without_free_ports_is_refused_with_the_range(monkeypatch):
    (only,) = free_ports(1)
    monkeypatch.setattr(addresses, "_LOWEST", only)
    monkeypatch.setattr(addresses, "_HIGHEST", only)
    with pytest.raises(DependencyUnreachable, match=f"expected 2 free ports.*{only}.*found 1"):
        free_ports(2)
