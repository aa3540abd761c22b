import pytest
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_local_cluster.command import run


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ("recording", "expected simulator, none or recording:DIR, got 'recording'"),
        ("recording:", "expected simulator, none or recording:DIR, got 'recording:'"),
        ("recording:/nowhere", "--sources: /nowhere: expected videos/.* got no such folder"),
        ("none:/tmp", "expected simulator, none or recording:DIR, got 'none:/tmp'"),
        ("cameras", "expected simulator, none or recording:DIR, got 'cameras'"),
    ],
)
def test_other_sources_are_refused_before_anything_starts(sources, message, tmp_path, monkeypatch):
    monkeypatch.setenv("MELTWATCH_STATE_DIR", str(tmp_path / "state"))
    with pytest.raises(ConfigurationError, match=message) as refused:
        run(sources=sources)
    assert refused.value.exit_code == 2
    assert not (tmp_path / "state").exists()
