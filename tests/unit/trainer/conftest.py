"""The trainer's tests run where PyTorch is: its own environment, not the workspace's."""

from importlib.util import find_spec

import pytest
from hypothesis import settings

from tests.support import examples

if settings.get_current_profile_name() == "default":  # without tests/conftest.py, as in CI
    examples.register_profiles()
    settings.load_profile(examples.GATE)

WITHOUT_TORCH = find_spec("torch") is None
collect_ignore_glob = ["test_*.py"] if WITHOUT_TORCH else []


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Networks this small lose more by waiting for a second thread than they win.

    Before each test, as a command that ran in this process has chosen its own number. Sums in
    another order lead a training elsewhere.
    """
    import torch  # noqa: PLC0415  # is not everywhere

    torch.set_num_threads(1)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if WITHOUT_TORCH:
        terminalreporter.write_line(
            "tests/unit/trainer not run: PyTorch is not installed here; see `make test-trainer`"
        )
