"""Whatever a server answers: a verdict that makes sense or a refusal by name, nothing else."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_chassis.clock import SystemClock
from meltwatch_chassis.errors import FatalError
from meltwatch_chassis.metrics import Metrics
from meltwatch_chassis.settings import TritonSettings
from meltwatch_core.join.topics import TopicNames
from meltwatch_core.scoring.errors import EndpointError
from meltwatch_core.scoring.failover import Failover, FailoverTiming
from meltwatch_core.scoring.judge import Judgement
from meltwatch_core.scoring.scores import ScoreContext, make_score
from meltwatch_core.scoring.triton_call import ScoringCall
from meltwatch_core.scoring.triton_endpoint import TritonEndpoint
from meltwatch_schemas.bounds import MAX_LOGIT
from meltwatch_schemas.errors import ContractViolation, Refusal
from meltwatch_schemas.score import decode_score, encode_score
from meltwatch_schemas.window import PUBLISHED_SPEC
from tritonclient.grpc import service_pb2

from tests.support.builders import NOON_NS
from tests.support.lying_triton import LyingTriton, tensor
from tests.unit.core.scoring.samples import FORM, ensemble_config, window

Change = Callable[[Any], object]


@pytest.fixture
async def server() -> AsyncIterator[LyingTriton]:
    async with LyingTriton(ensemble_config()) as lying:
        yield lying


def endpoint_at(address: str) -> TritonEndpoint:
    return TritonEndpoint(address, TritonSettings(triton=address), PUBLISHED_SPEC, 5.0)


@pytest.fixture
async def endpoint(server: LyingTriton) -> AsyncIterator[TritonEndpoint]:
    async with endpoint_at(server.address) as made:
        yield made


def put(name: str, *values: float) -> Change:
    """Replace the first values of an output."""

    def change(answer: Any) -> None:
        place = [output.name for output in answer.outputs].index(name)
        array = np.frombuffer(answer.raw_output_contents[place], np.float32).copy()
        array[: len(values)] = values
        answer.raw_output_contents[place] = array.tobytes()

    return change


def drop(name: str) -> Change:
    def change(answer: Any) -> None:
        place = [output.name for output in answer.outputs].index(name)
        del answer.outputs[place], answer.raw_output_contents[place]

    return change


def say(name: str, **facts: Any) -> Change:
    """State another shape or type of an output."""

    def change(answer: Any) -> None:
        (output,) = (output for output in answer.outputs if output.name == name)
        if "shape" in facts:
            output.shape[:] = facts["shape"]
        output.datatype = facts.get("datatype", output.datatype)

    return change


def another_batch(answer: Any) -> Any:
    said = service_pb2.ModelInferResponse()
    for name, shape in {
        "logit": (2, 1), "member_logits": (2, 3), "disagreement": (2, 1),
        "anomaly_map": (2, 64, 64),
    }.items():  # fmt: skip
        tensor(said, name, np.ones(shape))
    return said


async def test_the_truth_is_a_verdict(endpoint: TritonEndpoint) -> None:
    await endpoint.identify()
    verdict = await endpoint.score_window(window())

    assert (verdict.logit, verdict.disagreement) == (1.5, pytest.approx(0.4))
    assert verdict.anomaly_map.shape == (64, 64)


NO_NUMBERS = {
    "logit_nan": put("logit", np.nan),
    "logit_infinite": put("logit", np.inf),
    "logit_huge": put("logit", 1e30),
    "member_nan": put("member_logits", np.nan),
    "member_huge": put("member_logits", -1e9),
    "disagreement_negative": put("disagreement", -0.1),
    "disagreement_nan": put("disagreement", np.nan),
    "map_above_one": put("anomaly_map", 1.5),
    "map_below_zero": put("anomaly_map", 0.5, -3.0),
    "map_nan": put("anomaly_map", np.nan),
}


@pytest.mark.parametrize("name", NO_NUMBERS)
async def test_numbers_without_sense_reject_the_window(
    server: LyingTriton, endpoint: TritonEndpoint, name: str
) -> None:
    await endpoint.identify()
    server.answer = NO_NUMBERS[name]

    with pytest.raises(ContractViolation) as refusal:
        await endpoint.score_window(window())

    assert refusal.value.reason is Refusal.SCORING_REJECTED


OTHER_FORMS = {
    "nothing": lambda _: service_pb2.ModelInferResponse(),
    "no_logit": drop("logit"),
    "no_map": drop("anomaly_map"),
    "content_missing": lambda answer: answer.raw_output_contents.pop(),
    "content_short": lambda answer: answer.raw_output_contents.__setitem__(3, b"\0" * 7),
    "content_of_all_missing": lambda answer: answer.ClearField("raw_output_contents"),
    "other_batch": another_batch,
    "flat_map": say("anomaly_map", shape=(1, 4096)),
    "shape_of_nothing": say("logit", shape=(0,)),
    "shape_huge": say("anomaly_map", shape=(2**40, 2**40)),
    "type_fp64": say("logit", datatype="FP64"),
    "type_bytes": say("logit", datatype="BYTES"),
    "type_int": say("logit", datatype="INT32"),
    "type_unknown": say("logit", datatype="\x1b[2J"),
    "fewer_members": say("member_logits", shape=(1, 1)),
}


@pytest.mark.parametrize("name", OTHER_FORMS)
async def test_another_form_than_it_said_is_the_endpoints_fault(
    server: LyingTriton, endpoint: TritonEndpoint, name: str
) -> None:
    await endpoint.identify()
    server.answer = OTHER_FORMS[name]

    with pytest.raises(EndpointError) as failure:
        await endpoint.score_window(window())

    assert failure.value.code == "NONSENSE"
    assert str(failure.value).isprintable()


def no_digest(config: Any) -> None:
    config.parameters["digest"].string_value = ""


def garbage(config: Any) -> None:
    for name in config.parameters:
        config.parameters[name].string_value = "\x00\x1b[31m" * 1000


def endless_digest(config: Any) -> None:
    config.parameters["digest"].string_value = "f" * 5000


def many_members(config: Any) -> None:
    config.parameters["members"].string_value = ",".join(map(str, range(1000)))


def no_batch(config: Any) -> None:
    config.max_batch_size = 0


def unknown_type(config: Any) -> None:
    config.input[0].data_type = 99


@pytest.mark.parametrize(
    "change",
    [no_digest, garbage, endless_digest, many_members, no_batch, unknown_type, lambda c: c.Clear()],
)
async def test_a_description_without_sense_is_refused_in_one_line(
    server: LyingTriton, endpoint: TritonEndpoint, change: Change
) -> None:
    server.describe = change

    with pytest.raises((FatalError, EndpointError)) as refusal:
        await endpoint.identify()

    line = str(refusal.value)
    assert server.address in line
    assert line.isprintable(), line


async def test_beside_a_liar_every_verdict_comes_from_the_other() -> None:
    async with (
        LyingTriton(ensemble_config()) as liar,
        LyingTriton(ensemble_config()) as honest,
        endpoint_at(liar.address) as first,
        endpoint_at(honest.address) as second,
    ):
        failover = Failover([first, second], FailoverTiming(), SystemClock(), Metrics())
        await failover.identify()
        liar.answer = lambda _: service_pb2.ModelInferResponse()

        verdicts = [await failover.score_window(window()) for _ in range(20)]

    assert {verdict.logit for verdict in verdicts} == {1.5}


CONTEXT = ScoreContext(
    topics=TopicNames("meltwatch"),
    model=FORM.identity.model,
    spec_id=PUBLISHED_SPEC.spec_id,
    map_from=0.2,
    registered=frozenset(),
)
NUMBERS = st.floats(width=32) | st.sampled_from([MAX_LOGIT, -MAX_LOGIT, 1e30, 0.0, 1.0, -1.0])


@given(
    values=st.fixed_dictionaries(
        {spec.name: st.lists(NUMBERS, min_size=1, max_size=4) for spec in FORM.outputs}
    ),
    shapes=st.dictionaries(
        st.sampled_from([spec.name for spec in FORM.outputs]),
        st.lists(st.integers(-2, 5), max_size=3),
        max_size=1,
    ),
)
def test_whatever_the_answer_what_is_published_can_be_read(
    values: dict[str, list[float]], shapes: dict[str, list[int]]
) -> None:
    answer = service_pb2.ModelInferResponse()
    for spec in FORM.outputs:
        array = np.resize(np.array(values[spec.name], np.float32), (1, *spec.shape))
        tensor(answer, spec.name, array)
        if spec.name in shapes:
            answer.outputs[-1].shape[:] = shapes[spec.name]
    try:
        verdict = ScoringCall("fmformer", FORM).verdict(answer)
    except (ContractViolation, ValueError):
        return

    score = make_score(window(), Judgement(verdict, NOON_NS), CONTEXT, NOON_NS, NOON_NS)

    assert decode_score(encode_score(score)).logit == verdict.logit
