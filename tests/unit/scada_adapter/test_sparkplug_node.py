"""The edge node against a host that believes the rules: in whatever order things happen."""

from collections.abc import Iterable
from datetime import timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.settings import load
from meltwatch_scada_adapter.adapters.sparkplug.birth_numbers import BirthNumbers
from meltwatch_scada_adapter.domain.condition import ScadaCondition, of_record, pipeline_down
from meltwatch_scada_adapter.domain.sparkplug.commands import (
    AckAnswer,
    acks_of,
    asks_for_births,
    host_state_of,
)
from meltwatch_scada_adapter.domain.sparkplug.edge_node import EdgeMessage, EdgeNode
from meltwatch_scada_adapter.domain.sparkplug.names import NodeNames, device_of
from meltwatch_scada_adapter.settings import Settings
from meltwatch_schemas.sparkplug import (
    DataType,
    Metric,
    Payload,
    PayloadError,
    QualityCode,
    Value,
    decode,
)

from tests.support.builders import ALARM, FURNACE, alarm_record
from tests.support.examples import examples
from tests.support.timed_records import NOON

NOW_MS = 1_764_400_000_000
NAMES = NodeNames("plant", "alarms")
FURNACES = ("a/b/F-1", "a/b/F-2", "c/F-3")
ALARMS = ("OVERHEAT", "FURNACE_SILENT", "VIDEO_LOST")


class ForeignHost:
    """Keeps the tags of an edge node by the rules of Sparkplug, and minds each breach."""

    def __init__(self) -> None:
        self.tags: dict[str, dict[str, Metric]] = {}
        self.number: Value = None
        self._seq = 0

    def hear(self, publications: Iterable[EdgeMessage]) -> list[EdgeMessage]:
        """Take messages; return them."""
        heard = list(publications)
        for each in heard:
            self._take(each)
        return heard

    def _take(self, told: EdgeMessage) -> None:
        _, group, kind, edge, *device = told.topic.split("/")
        assert (group, edge) == ("plant", "alarms")
        payload = decode(told.payload)
        metrics = {metric.name: metric for metric in payload.metrics}
        assert len(metrics) == len(payload.metrics)
        if kind == "NDEATH":
            assert (payload.seq, told.qos) == (None, 1)
            assert {name: metric.value for name, metric in metrics.items()} == {
                "bdSeq": self.number
            }
            self.tags, self.number = {}, None
            return
        if kind == "NBIRTH":
            self.tags, self._seq = {}, 0
            self.number = metrics["bdSeq"].value
            assert metrics["Node Control/Rebirth"].value is False
        assert (payload.seq, told.qos) == (self._seq, 0)
        self._seq = (self._seq + 1) % 256
        assert all(metric.timestamp_ms is not None for metric in metrics.values())
        where = device[0] if device else ""
        if kind.endswith("BIRTH"):
            self.tags[where] = metrics
        else:
            assert metrics.keys() <= self.tags[where].keys(), "every metric is in the birth"
            assert metrics, "reported by exception"
            self.tags[where] |= metrics


def told_of(alarm_id: str, *, seq: int = 1, active: bool = True, state: str = "UNACK"):
    furnace, _, name = alarm_id.rpartition("/")
    record = alarm_record(
        alarm_id=alarm_id, equipment_path=furnace, seq=seq, active=active, state=state,
        **{"class": "process" if name == "OVERHEAT" else "system"},
    )  # fmt: skip
    return of_record(record, None)


class Sessions(RuleBasedStateMachine):
    """Whatever happens, a host knows what the edge node knows while a session goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.node = EdgeNode(NAMES, 7)
        self.host = ForeignHost()
        self.truth: dict[str, ScadaCondition] = {}
        self.is_live = False
        self.number = 0
        self.seq = 0

    @initialize()
    def a_plant_is_known(self) -> None:
        self.prepare("a/b/F-1/OVERHEAT")

    @rule(alarm_id=st.sampled_from([f"{f}/{a}" for f in FURNACES for a in ALARMS]))
    def prepare(self, alarm_id: str) -> None:
        condition = told_of(alarm_id, active=False, state="NORM")
        self.host.hear(self.node.prepare([condition], NOW_MS))
        if len(self.truth) < 7:
            self.truth.setdefault(alarm_id, condition)

    @rule(
        alarm_id=st.sampled_from([f"{f}/{a}" for f in FURNACES for a in ALARMS]),
        active=st.booleans(),
        state=st.sampled_from(["UNACK", "ACKED", "NORM", "SHLVD"]),
    )
    def show(self, alarm_id: str, active: bool, state: str) -> None:
        self.seq += 1
        condition = told_of(alarm_id, seq=self.seq, active=active, state=state)
        self.host.hear(self.node.show(condition, NOW_MS))
        if alarm_id in self.truth or len(self.truth) < 7:
            self.truth[alarm_id] = condition

    @rule(is_live=st.booleans())
    def trust(self, is_live: bool) -> None:
        self.is_live = is_live
        self.host.hear(self.node.trust(is_live=is_live, now_ms=NOW_MS))

    @rule(watchdog=st.integers(0, 3))
    def count(self, watchdog: int) -> None:
        self.host.hear(self.node.count("live", watchdog, NOW_MS))

    @precondition(lambda self: self.node.is_born)
    @rule(result=st.sampled_from(["Good", "BadTimeout"]))
    def answer(self, result: str) -> None:
        alarm_id = min(self.truth)
        heard = self.host.hear(self.node.answer(alarm_id, AckAnswer("ab", "", result), NOW_MS))
        assert len(heard) == 1, "each answer is told, also the same again"

    @precondition(lambda self: not self.node.is_born)
    @rule()
    def connect(self) -> None:
        self.number = (self.number + 1) % 256
        self.host.hear(self.node.births(self.number, NOW_MS))

    @precondition(lambda self: self.node.is_born)
    @rule()
    def asked_for_births(self) -> None:
        self.host.hear(self.node.births(self.number, NOW_MS))

    @precondition(lambda self: self.node.is_born)
    @rule()
    def leave(self) -> None:
        self.node.end()
        self.host.hear([self.node.death(self.number, NOW_MS)])

    @precondition(lambda self: self.node.is_born)
    @rule()
    def hundreds_of_messages(self) -> None:
        for number in range(300):
            assert len(self.host.hear(self.node.count("many", number + 10, NOW_MS))) == 1

    @invariant()
    def nothing_is_said_without_a_birth(self) -> None:
        if not self.node.is_born:
            assert self.host.tags == {}

    @invariant()
    def the_host_knows_what_is(self) -> None:
        if not self.node.is_born:
            return
        for alarm_id, condition in self.truth.items():
            furnace, _, name = alarm_id.rpartition("/")
            tags = self.host.tags[device_of(furnace)]
            shown = {fact: tags[f"Alarms/{name}/{fact}"] for fact in ("State", "Active", "EventId")}
            assert {fact: metric.value for fact, metric in shown.items()} == {
                "State": condition.state.value,
                "Active": condition.active,
                "EventId": condition.event_id.hex(),
            }
            silent = self.truth.get(f"{furnace}/FURNACE_SILENT")
            is_blind = name == "OVERHEAT" and silent is not None and silent.active
            good = self.is_live and not is_blind
            wanted = QualityCode.GOOD if good else QualityCode.STALE
            assert {metric.quality for metric in shown.values()} == {wanted}, alarm_id


TestSessions = Sessions.TestCase
TestSessions.settings = examples(25)


def born_host(node: EdgeNode) -> ForeignHost:
    host = ForeignHost()
    host.hear(node.births(3, NOW_MS))
    return host


def test_the_adapters_own_alarm_is_good_while_all_others_are_stale():
    node = EdgeNode(NAMES, 9)
    host = born_host(node)
    host.hear(node.trust(is_live=False, now_ms=NOW_MS))
    host.hear(node.show(of_record(alarm_record(), None), NOW_MS))
    host.hear(node.show(pipeline_down("plant", is_down=True, now=NOON, reason="gone"), NOW_MS))
    own = host.tags["plant"]["Alarms/ALARM_PIPELINE_DOWN/Active"]
    assert (own.value, own.quality) == (True, QualityCode.GOOD)
    other = host.tags[device_of(FURNACE)]["Alarms/OVERHEAT/Active"]
    assert (other.value, other.quality) == (True, QualityCode.STALE)


def test_a_bad_input_makes_the_score_bad_and_leaves_the_alarm_as_it_is():
    node = EdgeNode(NAMES, 9)
    host = born_host(node)
    host.hear(node.trust(is_live=True, now_ms=NOW_MS))
    host.hear(node.show(of_record(alarm_record(quality="bad"), None), NOW_MS))
    tags = host.tags[device_of(FURNACE)]
    assert tags["Alarms/OVERHEAT/Score"].quality is QualityCode.BAD
    assert tags["Alarms/OVERHEAT/Active"].quality is QualityCode.GOOD
    assert tags["Alarms/OVERHEAT/Quality"].value == "bad"


def test_figures_count_what_is_active_and_waits():
    node = EdgeNode(NAMES, 9)
    host = born_host(node)
    host.hear(node.show(of_record(alarm_record(), None), NOW_MS))
    host.hear(node.count("live", 4, NOW_MS))
    figures = {name: metric.value for name, metric in host.tags[""].items()}
    assert figures == {
        "bdSeq": 3, "Node Control/Rebirth": False, "LinkState": "live", "Watchdog": 4,
        "ActiveCount": 1, "UnackedCount": 1,
    }  # fmt: skip


def test_times_before_1970_and_of_the_far_future_do_no_harm():
    node = EdgeNode(NAMES, 9)
    host = born_host(node)
    record = alarm_record()
    for at in (NOON - timedelta(days=40_000), NOON.replace(year=9999)):
        times = record.times.model_copy(update={"published": at})
        told = record.model_copy(update={"condition_time": at, "times": times})
        host.hear(node.show(of_record(told, None), NOW_MS))
        since = host.tags[device_of(FURNACE)]["Alarms/OVERHEAT/ConditionTime"].value
        assert since == max(0, round(at.timestamp() * 1000))


def command(*metrics: tuple[str, Value]) -> Payload:
    return Payload(NOW_MS, tuple(Metric(name, DataType.STRING, value) for name, value in metrics))


def test_an_acknowledgement_names_its_alarm_its_event_and_perhaps_a_person():
    payload = command(
        ("Alarms/OVERHEAT/Ack", "ab"), ("Alarms/OVERHEAT/AckUser", "li.wei"),
        ("Alarms/VIDEO_LOST/Ack", ""), ("Alarms/VIDEO_LOST/State", "NORM"), ("Ack", "cd"),
    )  # fmt: skip
    (asked,) = acks_of(FURNACE, payload)
    assert (asked.alarm_id, asked.token, asked.user) == (ALARM, "ab", "li.wei")
    assert asked.order().comment == "the host says: li.wei"
    assert asked.order().event_id == "ab"


@pytest.mark.parametrize("token", ["x" * 65, "a\x1bb", 5, True])
def test_an_acknowledgement_that_cannot_be_right_is_refused(token):
    with pytest.raises(PayloadError, match="printable"):
        list(acks_of(FURNACE, command(("Alarms/OVERHEAT/Ack", token))))
    said = (("Alarms/OVERHEAT/Ack", "ab"), ("Alarms/OVERHEAT/AckUser", token))
    with pytest.raises(PayloadError, match="printable"):
        list(acks_of(FURNACE, command(*said)))


def test_births_are_asked_for_by_true_alone():
    assert asks_for_births(Payload(1, (Metric("Node Control/Rebirth", None, True),)))
    for value in (False, None, 1, "true"):
        assert not asks_for_births(Payload(1, (Metric("Node Control/Rebirth", None, value),)))


def test_the_state_of_a_host_is_json_with_a_time():
    state = host_state_of(b'{"online": true, "timestamp": 5}')
    assert (state.is_online, state.timestamp_ms) == (True, 5)
    for data in (
        b"", b"ONLINE", b"[]", b"5", b'"online"', b'{"online": true}', b"[" * 1000, b"\xff",
        b'{"online": 1, "timestamp": 5}', b'{"online": true, "timestamp": 5.5}',
        b'{"online": true, "timestamp": true}', b'{"online": true, "timestamp": ' + b"9" * 2000,
    ):  # fmt: skip
        with pytest.raises(PayloadError, match="expected online"):
            host_state_of(data)


def test_devices_are_named_by_their_furnace_and_found_again():
    names = NodeNames("plant", "alarms", "scada")
    topic = names.topic("DCMD", "a/b/F-1")
    assert topic == "spBv1.0/plant/DCMD/alarms/a:b:F-1"
    assert names.equipment_of(topic) == "a/b/F-1"
    assert names.equipment_of(names.topic("NCMD")) is None
    assert names.filters == (
        "spBv1.0/plant/NCMD/alarms", "spBv1.0/plant/DCMD/alarms/+", "spBv1.0/STATE/scada",
    )  # fmt: skip


def test_numbers_of_sessions_go_on_over_restarts(tmp_path):
    file = tmp_path / "bdseq"
    numbers = BirthNumbers(file, start=1_000)
    assert [numbers.take(), numbers.take()] == [1_000 % 256, 1_001 % 256]
    assert BirthNumbers(file, start=7).take() == 1_002 % 256
    file.write_text("255\n")
    again = BirthNumbers(file, start=7)
    assert [again.take(), again.take()] == [255, 0]
    for damaged in ("256", "-1", "x", ""):
        file.write_text(damaged)
        assert BirthNumbers(file, start=7).take() == 7


def test_a_state_file_that_cannot_be_written_is_refused_at_the_start(tmp_path):
    with pytest.raises(ConfigurationError, match="MELTWATCH_SPARKPLUG_STATE_FILE: expected"):
        BirthNumbers(tmp_path / "no" / "folder", start=1)


@pytest.mark.parametrize("variable", ["GROUP", "EDGE", "HOST"])
@pytest.mark.parametrize("text", ["", "a/b", "a+", "#", "x" * 65])
def test_an_id_that_no_topic_may_hold_is_refused(variable, text):
    with pytest.raises(ConfigurationError, match=f"MELTWATCH_SPARKPLUG_{variable}: expected 1 to"):
        load(Settings, {f"MELTWATCH_SPARKPLUG_{variable}": text})


@pytest.mark.parametrize("address", ["", "broker", "a:1,b:2", "a:99999"])
def test_one_broker_is_named_by_host_and_port(address):
    with pytest.raises(ConfigurationError, match="MELTWATCH_MQTT: expected host:port"):
        load(Settings, {"MELTWATCH_MQTT": address})
