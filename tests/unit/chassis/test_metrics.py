"""The metrics that there are, those that the contract names, and those that a page explains."""

import re
from pathlib import Path

from meltwatch_chassis.metrics import Metrics
from prometheus_client.metrics_core import Metric

PAGE = Path(__file__).parents[3] / "docs" / "operations.md"
OF_THE_CLIENT = ("process_", "python_")
CONTRACT = {
    "meltwatch_records_total": ("service", "topic", "outcome"),
    "meltwatch_late_total": ("modality",),
    "meltwatch_dead_letters_total": ("error",),
    "meltwatch_windows_total": ("status",),
    "meltwatch_watermark_lag_seconds": ("furnace",),
    "meltwatch_buffer_bytes": ("service",),
    "meltwatch_scoring_seconds": (),
    "meltwatch_event_to_score_seconds": (),
    "meltwatch_event_to_alarm_seconds": (),
    "meltwatch_inflight_windows": (),
    "meltwatch_alarm_annunciations_total": ("priority",),
    "meltwatch_alarms_active": ("priority", "state"),
    "meltwatch_member_disagreement": (),
}


def name_of(family: Metric) -> str:
    return family.name + ("_total" if family.type == "counter" else "")


def there() -> dict[str, tuple[str, ...]]:
    """Name and labels of each metric of ours."""
    metrics = Metrics()
    labels = {
        member._name: member._labelnames
        for member in vars(metrics).values()
        if hasattr(member, "_labelnames")
    }
    labels["meltwatch_build_info"] = ("version", "python")
    return {
        name_of(family): labels[family.name]
        for family in metrics.registry.collect()
        if not family.name.startswith(OF_THE_CLIENT)
    }


def documented() -> dict[str, tuple[str, ...]]:
    """Name and labels of each row of the page's table."""
    rows = re.findall(r"^\| `(meltwatch_\w+)` \|([^|]*)\|", PAGE.read_text(), re.MULTILINE)
    return {name: tuple(re.findall(r"`(\w+)`", cell.partition(":")[0])) for name, cell in rows}


def test_every_metric_is_documented_and_every_documented_one_is_there() -> None:
    assert documented() == there()


def test_every_metric_of_the_contract_is_there() -> None:
    assert there().items() >= CONTRACT.items()


def test_a_process_tells_of_itself() -> None:
    names = {family.name for family in Metrics().registry.collect()}
    wanted = {"process_resident_memory_bytes", "process_cpu_seconds", "process_open_fds"}
    assert names >= {*wanted, "process_start_time_seconds", "python_info", "python_gc_collections"}


def test_the_build_is_told() -> None:
    (build,) = [f for f in Metrics().registry.collect() if f.name == "meltwatch_build_info"]
    (sample,) = build.samples
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", sample.labels["version"])
    assert sample.value == 1
