"""How often a property is tried: few times in the gate, twenty times as often in the long form.

``tests/conftest.py`` loads ``GATE``. ``make test-unit`` takes ``QUICK``, a third of it, for whoever
works on something. ``make test`` and CI try all of it. The examples of both are the same in each
run, so what a change breaks is that change's fault. ``make chaos`` draws others each time
(``--hypothesis-profile=long``). What they once found stands beside the property as an example of
its own.
"""

from collections.abc import Sequence
from typing import Any, Final

from hypothesis import HealthCheck, Phase, settings

GATE: Final = "gate"
QUICK: Final = "quick"
LONG: Final = "long"
_EXAMPLES: Final = 30
_TIMES: Final = 20
_QUICK: Final = 10


def register_profiles() -> None:
    """Make the profiles known to Hypothesis."""
    usual: dict[str, Any] = {
        # A shared machine may be slow at any moment; how long an example takes is no property.
        "deadline": None,
        "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
    }
    for name, count in {GATE: _EXAMPLES, QUICK: _QUICK}.items():
        settings.register_profile(
            name,
            **usual,
            max_examples=count,
            derandomize=True,
            # The long form finds the smallest example.
            phases=set(Phase) - {Phase.shrink, Phase.explain},
        )
    settings.register_profile(LONG, **usual, max_examples=_EXAMPLES * _TIMES)


def examples(
    count: int = _EXAMPLES, *, suppress_health_check: Sequence[HealthCheck] = (), **others: Any
) -> settings:
    """Settings of a property that is tried so often in the gate."""
    usual = settings()
    return settings(
        max_examples=max(1, count * usual.max_examples // _EXAMPLES),
        suppress_health_check=[*usual.suppress_health_check, *suppress_health_check],
        **others,
    )


def is_quick() -> bool:
    """Tell whether this is the quick form: then ``make test`` tries more of the same."""
    return settings.get_current_profile_name() == QUICK


def is_long() -> bool:
    """Tell whether this is the long form: then what the gate tries in turn is tried in full."""
    return settings.get_current_profile_name() == LONG
