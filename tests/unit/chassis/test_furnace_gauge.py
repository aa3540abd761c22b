from meltwatch_chassis.furnace_gauge import FurnaceGauge
from meltwatch_chassis.metrics import Metrics


def test_each_furnace_has_its_value_until_it_is_gone() -> None:
    metrics = Metrics()
    skews = FurnaceGauge(metrics.sync_skew)

    def shown(furnace_id: str) -> float | None:
        labels = {"furnace": furnace_id}
        return metrics.registry.get_sample_value("meltwatch_sync_skew_seconds", labels)

    skews.show({"a/1": 0.1, "a/2": -0.2})
    assert (shown("a/1"), shown("a/2")) == (0.1, -0.2)
    skews.show({"a/2": 0.3})
    assert (shown("a/1"), shown("a/2")) == (None, 0.3)
    skews.show({})
    assert shown("a/2") is None
    skews.show({"a/1": 0.0})
    assert shown("a/1") == 0.0
