"""Each kind of fault of the services once: nothing lost, changed or out of order."""

from collections.abc import Callable

import pytest

pytestmark = [
    pytest.mark.integration,
    # How soon things go on is no promise: a machine may be busy with other work.
]


LONG = ("rebalance", "producer-kill", "manager-kill", "forged")


@pytest.mark.parametrize(
    "name", ["worker-kill", *(pytest.param(name, marks=pytest.mark.long) for name in LONG)]
)
def test_a_campaign_ends_in_zeros(ends_in_zeros: Callable[[str], None], name: str) -> None:
    ends_in_zeros(name)
