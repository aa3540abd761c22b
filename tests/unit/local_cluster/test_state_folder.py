import pytest
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_local_cluster.launch.state_folder import owned


def test_a_second_run_in_the_same_folder_is_refused_with_advice(tmp_path):
    with (
        owned(tmp_path),
        pytest.raises(ConfigurationError, match=r"expected no other run .*MELTWATCH_STATE_DIR"),
        owned(tmp_path),
    ):
        pass


def test_the_folder_is_free_again_after_a_run(tmp_path):
    for _ in range(2):
        with owned(tmp_path / "new") as folder:
            assert folder.is_dir()


def test_runs_in_two_folders_do_not_meet(tmp_path):
    with owned(tmp_path / "a") as first, owned(tmp_path / "b") as second:
        assert first != second


def test_a_folder_that_cannot_be_made_is_a_wrong_configuration(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(ConfigurationError, match="expected a state folder that can be written"),
        owned(tmp_path / "file" / "state"),
    ):
        pass
