import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_chassis.tracing import begin_trace, continue_trace, trace_id


def test_a_step_stays_in_its_trace_and_has_an_id_of_its_own() -> None:
    begun = begin_trace()
    step = continue_trace(begun)

    assert step is not None
    assert trace_id(step) == trace_id(begun)
    assert step != begun
    assert begun[:3] == "00-"
    assert len(step) == len(begun) == 55


def test_traces_differ() -> None:
    assert trace_id(begin_trace()) != trace_id(begin_trace())


@pytest.mark.parametrize(
    "context",
    [None, "", "00-ab-cd-01", f"00-{'0' * 32}-{'1' * 16}-01", f"00-{'1' * 32}-{'0' * 16}-01"],
)
def test_what_is_no_context_is_not_continued(context: str | None) -> None:
    assert continue_trace(context) is None
    assert trace_id(context) is None


@given(st.text())
def test_whatever_stands_in_a_header_is_answered(text: str) -> None:
    continue_trace(text)
