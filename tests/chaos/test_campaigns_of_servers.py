"""Each kind of fault of the servers once: nothing lost, changed or out of order."""

from collections.abc import Callable

import pytest

pytestmark = [
    pytest.mark.long,
    pytest.mark.integration,
    # How soon things go on is no promise: a machine may be busy with other work.
]


@pytest.mark.parametrize(
    "name",
    ["triton", "triton-long", "triton-slow", "broker", "leader", "redis", "sources", "promotion"],
)
def test_a_campaign_ends_in_zeros(ends_in_zeros: Callable[[str], None], name: str) -> None:
    ends_in_zeros(name)
