"""What the view's lists must hold, by the words of the contract."""

from typing import Any

from tests.chaos.view import expected_lists

RAISED: dict[str, Any] = {
    "active": True,
    "state": "UNACK",
    "mode": "alarm",
    "raise_time": "2026-03-01T03:00:00.500000Z",
    "shelve": None,
}
RAISED_MS = 1_772_334_000_500


def lists(**changes: Any) -> dict[str, Any]:
    return expected_lists({"a": RAISED | changes})


def test_a_masked_alarm_is_active_and_asks_for_nothing() -> None:
    assert lists() == {"active": {"a": RAISED_MS}, "unacked": {"a"}, "shelved": {}}
    masked = lists(state="DSUPR", suppressed=["masked"])
    assert masked == {"active": {"a": RAISED_MS}, "unacked": set(), "shelved": {}}


def test_what_has_gone_unseen_is_unacknowledged_and_not_active() -> None:
    gone = lists(active=False, state="RTNUN")
    assert gone == {"active": {}, "unacked": {"a"}, "shelved": {}}


def test_a_shadow_is_on_no_list() -> None:
    assert lists(mode="shadow") == {"active": {}, "unacked": set(), "shelved": {}}


def test_a_shelved_alarm_is_active_until_its_condition_goes() -> None:
    until = {"until": "2026-03-01T03:00:00.500000Z"}
    shelved = lists(state="SHLVD", shelve=until)
    assert shelved == {
        "active": {"a": RAISED_MS}, "unacked": set(), "shelved": {"a": RAISED_MS},
    }  # fmt: skip
