import pytest
from meltwatch_chassis.errors import DependencyUnreachable
from meltwatch_local_cluster.addresses import free_ports
from meltwatch_local_cluster.cluster import Cluster, without_login
from meltwatch_local_cluster.leftovers import ProcessRecord
from meltwatch_local_cluster.settings import Settings


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
        cluster.start(ProcessRecord(tmp_path))
    text = str(refused.value)
    assert refused.value.exit_code == 3
    assert f"MELTWATCH_{name.upper()}: expected a server that answers at" in text
    assert without_login(given[name]) in text
    assert "secret" not in text


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
