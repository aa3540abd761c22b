"""How long our processes waited: what was seen of a thread that has ended counts on."""

from pathlib import Path

import pytest

from tests.support import promise
from tests.support.promise import ProcessorWaits, Promise

LONG, SHORT, LATE = (Path(name) for name in ("long", "short", "late"))
LOOKS = (
    {LONG: 5_000_000_000, SHORT: 1_000_000_000},
    {LONG: 5_000_000_000, SHORT: 2_500_000_000},
    {SHORT: 3_000_000_000, LATE: 250_000_000},
)


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = list(LOOKS)
    monkeypatch.setattr(promise, "_waits_ns", lambda: looks.pop(0) if len(looks) > 1 else looks[0])


@pytest.mark.usefixtures("kernel")
def test_the_sum_never_falls() -> None:
    waits = ProcessorWaits()

    assert [waits.so_far_s() for _ in range(3)] == [1.5, 2.25, 2.25]


@pytest.mark.usefixtures("kernel")
def test_what_does_not_come_is_told_once_promise_and_waiting_are_over() -> None:
    with pytest.raises(AssertionError, match=r"had to wait for 2\.2 s: nothing"):
        Promise(-1.2).until(lambda: False, lambda: "nothing")
