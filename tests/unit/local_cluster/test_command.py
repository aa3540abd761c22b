from pathlib import Path

import pytest
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_local_cluster.command import RunInputs, run
from meltwatch_local_cluster.launch import plans


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ("recording", "expected simulator, none or recording:DIR, got 'recording'"),
        ("recording:", "expected simulator, none or recording:DIR, got 'recording:'"),
        ("recording:/nowhere", "--sources: /nowhere: expected videos/.* got no such folder"),
        ("none:/tmp", "expected simulator, none or recording:DIR, got 'none:/tmp'"),
        ("plant", "expected simulator, none or recording:DIR, got 'plant'"),
        ("cameras", "expected simulator, none or recording:DIR, got 'cameras'"),
    ],
)
def test_other_sources_are_refused_before_anything_starts(sources, message, tmp_path, monkeypatch):
    monkeypatch.setenv("MELTWATCH_STATE_DIR", str(tmp_path / "state"))
    with pytest.raises(ConfigurationError, match=message) as refused:
        run(inputs=RunInputs(sources))
    assert refused.value.exit_code == 2
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (RunInputs("none", Path("plant.yaml")), "--plant: expected no --sources beside it"),
        (RunInputs(plant=Path("/nowhere/plant.yaml")), "/nowhere/plant.yaml"),
    ],
)
def test_a_plant_file_that_cannot_be_used_is_refused_before_anything_starts(
    inputs, message, tmp_path, monkeypatch
):
    monkeypatch.setenv("MELTWATCH_STATE_DIR", str(tmp_path / "state"))
    with pytest.raises(ConfigurationError, match=message):
        run(inputs=inputs)
    assert not (tmp_path / "state").exists()


def test_without_what_reads_sources_a_run_says_what_to_install(monkeypatch):
    monkeypatch.setattr(plans, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=r"`make run PLANT=plant\.yaml` installs it"):
        plans.check_live_installed()


def test_the_spool_of_a_run_is_in_its_own_folder(tmp_path):
    told = plans.live_environment(tmp_path / "spool")
    assert told == {"MELTWATCH_SPOOL_DIR": str(tmp_path / "spool")}
    assert (tmp_path / "spool").is_dir()
