"""The OPC UA server of a run: an endpoint, a login of this run, or what the user has set."""

import re
import stat
from pathlib import Path

import pytest
import yaml
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_local_cluster.launch import opcua


@pytest.mark.programs
def test_a_run_has_a_login_of_its_own_whose_password_stands_in_no_file(tmp_path: Path) -> None:
    demo = opcua.prepare_opcua({}, tmp_path / "opcua")
    found = re.fullmatch(
        r"OPC UA: opc\.tcp://127\.0\.0\.1:(\d+)/meltwatch, Basic256Sha256, "
        r"user operator, password (\w{8}) \(of this run\)",
        demo.invitation,
    )
    assert found is not None
    assert demo.environment["MELTWATCH_OPCUA_ADDRESS"] == f"127.0.0.1:{found[1]}"
    for name in ("MELTWATCH_OPCUA_USERS_FILE", "MELTWATCH_ROLES_FILE"):
        file = Path(demo.environment[name])
        assert list(yaml.safe_load(file.read_text())["users"]) == ["operator"]
        assert found[2] not in file.read_text()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_what_the_user_has_set_counts(tmp_path: Path) -> None:
    told = {
        "MELTWATCH_OPCUA_ADDRESS": "127.0.0.1:4999",
        "MELTWATCH_OPCUA_USERS_FILE": "people.yaml",
        "MELTWATCH_OPCUA_TRUST_ALL": "false",
        "MELTWATCH_ROLES_FILE": "roles.yaml",
    }
    demo = opcua.prepare_opcua(told, tmp_path / "opcua")
    assert demo.environment.items() >= {k: v for k, v in told.items() if "OPCUA" in k}.items()
    assert demo.invitation == "OPC UA: opc.tcp://127.0.0.1:4999/meltwatch, Basic256Sha256"
    assert not (tmp_path / "opcua").exists()


def test_a_broker_that_the_user_names_gets_an_edge_node(tmp_path: Path) -> None:
    folder = tmp_path / "opcua"
    broker = {"MELTWATCH_MQTT": "127.0.0.1:1883", "MELTWATCH_OPCUA_USERS_FILE": "people.yaml"}
    told = opcua.prepare_opcua(broker, folder).environment
    assert told["MELTWATCH_SPARKPLUG_STATE_FILE"] == str(folder / "bdseq")
    assert told["MELTWATCH_SPARKPLUG_USER"] == "operator"
    given = broker | {"MELTWATCH_SPARKPLUG_USER": "scada"}
    assert opcua.prepare_opcua(given, folder).environment["MELTWATCH_SPARKPLUG_USER"] == "scada"
    del broker["MELTWATCH_MQTT"]
    assert "MELTWATCH_SPARKPLUG_USER" not in opcua.prepare_opcua(broker, folder).environment


def test_without_the_package_the_run_says_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opcua, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match="make run OPCUA=yes"):
        opcua.check_installed()
