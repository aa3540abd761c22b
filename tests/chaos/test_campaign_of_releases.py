"""The release before and this one share the work: nothing lost, changed or out of order."""

from collections.abc import Callable

import pytest

from tests.chaos.releases import lack

pytestmark = [
    pytest.mark.long,
    pytest.mark.integration,
    # How soon things go on is no promise: a machine may be busy with other work.
]


def test_an_upgrade_and_the_way_back_end_in_zeros(ends_in_zeros: Callable[[str], None]) -> None:
    if (missing := lack()) is not None:
        pytest.skip(missing)
    ends_in_zeros("upgrade")
