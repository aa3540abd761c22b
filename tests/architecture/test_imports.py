"""Who may import whom; the rules themselves stand in ``.importlinter``."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.source import ROOT, Module, modules_of

SERVICES = {
    "meltwatch_producers",
    "meltwatch_video_producer",
    "meltwatch_current_producer",
    "meltwatch_source_producer",
    "meltwatch_stream_processor",
    "meltwatch_alarm_manager",
    "meltwatch_cli",
    "meltwatch_backtester",
    "meltwatch_selftest",
    "meltwatch_notify_gateway",
    "meltwatch_console",
    "meltwatch_local_cluster",
}
TRAINER = ROOT / "services/trainer/src/meltwatch_trainer"
# Each step of the trainer knows those before it; its commands and settings stand beside them.
STEPS = ("data", "network", "train", "judge", "release", "benchmark", "fit", "expert")
CORE = ROOT / "services/libs/core/src"
WORDS_OF_THE_CHASSIS = {
    "clock.Clock", "dependencies.TRITON", "errors.ConfigurationError", "errors.FatalError",
    "errors.TransientError", "furnace_gauge.FurnaceGauge", "live.is_live", "metrics.Metrics",
    # Triton's client: how it is secured.
    "connecting.Peer", "connecting.tls_context", "connecting.tls_problem",
    "settings.TritonSettings",
}  # fmt: skip


@pytest.mark.programs
def test_the_import_contracts_hold() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run(
        [linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert result.returncode == 0, result.stdout


def test_the_trainer_imports_libraries_and_no_service() -> None:
    found = {
        (module.path.name, name)
        for module in modules_of("services/trainer")
        for name in module.imported()
        if name.partition(".")[0] in SERVICES
    }

    assert found == set()


def test_a_step_of_the_trainer_knows_no_later_step() -> None:
    back = [
        (module.name, name)
        for number, step in enumerate(STEPS)
        for module in modules_of("services/trainer")
        if module.path.is_relative_to(TRAINER / step)
        for name in module.imported()
        if name.startswith(tuple(f"meltwatch_trainer.{later}." for later in STEPS[number + 1 :]))
    ]

    assert back == []


def test_core_takes_these_words_from_the_chassis_and_no_others() -> None:
    taken = {
        f"{node.module.removeprefix('meltwatch_chassis.')}.{alias.name}"
        for module in modules_of("services/libs/core")
        for node in module.nodes
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("meltwatch_chassis")
        for alias in node.names
    }

    assert taken == WORDS_OF_THE_CHASSIS


@pytest.mark.programs
def test_core_runs_where_there_is_no_broker_and_no_view() -> None:
    """What a notebook gets: of the clients, Triton's alone, and that where it is asked for."""
    names = [
        ".".join(module.path.relative_to(CORE).with_suffix("").parts)
        for module in modules_of("services/libs/core")
        if not module.path.stem.startswith("triton_")
    ]
    clients = {"kafka", "aiokafka", "faust", "redis", "tritonclient"}
    program = (
        f"import importlib, sys\nfor name in {names}: importlib.import_module(name)\n"
        f"print(*sorted({clients} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert result.stdout.split() == []


def test_pytorch_is_imported_by_the_trainer_alone() -> None:
    elsewhere = [module for module in modules_of() if "trainer" not in module.path.parts]

    assert [m.path.name for m in elsewhere if "torch" in roots_of(m)] == []


def test_no_module_of_a_runtime_package_imports_tests() -> None:
    assert [m.path.name for m in modules_of() if "tests" in roots_of(m)] == []


def roots_of(module: Module) -> set[str]:
    return {name.partition(".")[0] for name in module.imported()}
