"""The notify gateway of a run: it needs a channel file, and the package."""

from pathlib import Path

import pytest
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_local_cluster.launch import notify


def test_the_gateway_is_told_the_file_wherever_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "channels.yaml"
    file.write_text("channels: []")
    monkeypatch.chdir(tmp_path)
    notify.check_notify(Path("channels.yaml"))
    told = notify.notify_environment(Path("channels.yaml"))
    assert told == {"MELTWATCH_CHANNELS_FILE": str(file)}


def test_without_the_file_nothing_is_started(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"--notify: expected a channel file, got .*none"):
        notify.check_notify(tmp_path / "none.yaml")


def test_without_the_package_the_run_says_what_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=r"make run NOTIFY=channels\.yaml"):
        notify.check_notify(tmp_path / "channels.yaml")
