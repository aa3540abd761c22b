"""What an alarm record, an alarm point and an order mean to a client of OPC UA."""

from datetime import UTC, datetime

import pytest
import structlog
from asyncua import ua
from asyncua.common.utils import ServiceError
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_chassis.testing import ManualClock
from meltwatch_core.alarms.points import MasterAlarmList
from meltwatch_scada_adapter.adapters.opcua.certificates import open_certificates
from meltwatch_scada_adapter.adapters.opcua.events import announcement_of
from meltwatch_scada_adapter.adapters.opcua.fields import fields_of
from meltwatch_scada_adapter.adapters.opcua.methods import METHODS, UNSUPPORTED, order_of
from meltwatch_scada_adapter.adapters.opcua.users import Users, hash_of
from meltwatch_scada_adapter.domain.condition import (
    acknowledged,
    event_id_of,
    levels,
    of_point,
    of_record,
    pipeline_down,
)
from meltwatch_scada_adapter.domain.orders import OrderOutcome, outcome_of
from meltwatch_scada_adapter.domain.plant import PlantConditions
from meltwatch_schemas.alarm import AlarmState, Priority
from meltwatch_schemas.alarm_command import Command, CommandResult, ResultCode
from meltwatch_schemas.instants import utc_from_ns

from tests.support.builders import ALARM, FURNACE, NOON_NS, alarm_point, alarm_record
from tests.support.timed_records import NOON

IDS = ua.ObjectIds
SHELF = {"until": utc_from_ns(NOON_NS), "by": "li.wei", "reason": "lance change"}


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({}, {"ActiveState/Id": True, "AckedState/Id": False, "Retain": True}),
        ({"state": "ACKED", "acked": True}, {"ActiveState/Id": True, "AckedState/Id": True}),
        ({"state": "RTNUN", "active": False}, {"ActiveState/Id": False, "AckedState/Id": False}),
        (
            {"state": "NORM", "active": False, "retain": False},
            {"ActiveState/Id": False, "AckedState/Id": True, "Retain": False},
        ),
        (
            {"state": "LATUN", "active": False, "latched": True},
            {"LatchedState/Id": True, "AckedState/Id": False},
        ),
        (
            {"state": "SHLVD", "shelve": SHELF},
            {"SuppressedOrShelved": True, "ShelvingState/UnshelveTime": 0.0},
        ),
        (
            {"state": "DSUPR", "suppressed": ["state"]},
            {"SuppressedState/Id": True, "SuppressedOrShelved": True},
        ),
        ({"priority": Priority.CRITICAL}, {"Severity": 900, "LastSeverity": 900}),
        ({"quality": "bad"}, {"Quality": ua.StatusCode(ua.StatusCodes.Bad)}),
    ],
)
def test_each_state_has_its_fields(changes, shown):
    fields = fields_of(of_record(alarm_record(**changes), None))
    assert {name: fields[name].Value for name in shown} == shown


def test_an_event_has_the_records_id_and_the_conditions():
    event = announcement_of(of_record(alarm_record(seq=7), None))
    assert event.fields["EventId"].Value.hex() == alarm_record(seq=7).event_id
    assert event.fields["NodeId"].Value == ua.NodeId(ALARM, 2)
    assert event.NoSuchField is None


@given(st.text(max_size=40))
def test_an_event_id_is_16_bytes_whatever_a_record_says(text):
    assert len(event_id_of(text)) == 16


def test_what_people_say_lasts_until_the_next_words():
    said = {"from": "UNACK", "to": "ACKED", "cause": "ACK", "by": "li.wei", "comment": "seen"}
    acked = of_record(alarm_record(seq=2, state="ACKED", acked=True, transition=said), None)
    cleared = of_record(alarm_record(seq=3, state="NORM", active=False), acked)
    assert (cleared.comment, cleared.user) == ("seen", "li.wei")


def test_conditions_stand_there_before_the_first_alarm():
    points = {FURNACE: (alarm_point(),)}
    plant = PlantConditions(MasterAlarmList(points, "meltwatch"))
    known = {each.alarm_id: each for each in plant.known()}
    assert known[ALARM].state is AlarmState.NORM
    assert not known[ALARM].retain
    assert {f"{FURNACE}/VIDEO_LOST", "meltwatch/PLANT_BLIND"} <= known.keys()
    assert not {"meltwatch/OVERHEAT", "meltwatch/VIDEO_LOST"} & known.keys()
    assert plant.take(alarm_record()).max_shelve_s == of_point(alarm_point()).max_shelve_s


def test_the_adapters_own_condition_is_raised_acknowledged_and_gone():
    at = datetime(2026, 3, 1, tzinfo=UTC)
    down = pipeline_down("plant", is_down=True, now=at, reason="silence")
    assert (down.alarm_id, down.active, down.retain, down.severity) == (
        "plant/ALARM_PIPELINE_DOWN", True, True, 900,
    )  # fmt: skip
    seen = acknowledged(down, "li.wei", "I look", at)
    assert (seen.acked, seen.active, seen.retain, seen.user) == (True, True, True, "li.wei")
    over = pipeline_down("plant", is_down=False, now=at, reason="back")
    assert not over.retain
    assert len({down.event_id, seen.event_id, over.event_id}) == 3


def test_levels_of_a_path_begin_at_the_top():
    assert levels("a/b/c") == ["a", "a/b", "a/b/c"]


ANY = st.one_of(
    st.none(), st.binary(max_size=20), st.text(max_size=5), st.integers(), st.floats(),
    st.booleans(), st.builds(ua.LocalizedText, st.text(max_size=5)),
)  # fmt: skip


@given(st.sampled_from(list(METHODS)), st.lists(ANY, max_size=4))
def test_whatever_a_client_calls_is_an_order_or_a_status(method, values):
    found = order_of(method, tuple(ua.Variant(value) for value in values))
    wanted = len(METHODS[method][1])
    if len(values) != wanted:
        few = len(values) < wanted
        assert found is (OrderOutcome.TOO_FEW if few else OrderOutcome.TOO_MANY)


def test_a_token_is_16_bytes():
    comment = ua.Variant(ua.LocalizedText("seen"))
    acknowledge = IDS.AcknowledgeableConditionType_Acknowledge
    order = order_of(acknowledge, (ua.Variant(bytes(16)), comment))
    assert not isinstance(order, OrderOutcome)
    assert (order.command, order.event_id, order.comment) == (Command.ACK, "0" * 32, "seen")
    for token in (b"", bytes(15), None):
        assert order_of(acknowledge, (ua.Variant(token), comment)) is OrderOutcome.UNKNOWN_EVENT
    assert not METHODS.keys() & set(UNSUPPORTED)


@given(st.sampled_from(Command), st.sampled_from(ResultCode))
def test_every_result_of_every_command_has_a_status_code(command, code):
    result = CommandResult(
        command_id=None, alarm_id=ALARM, result="refused", code=code, detail="", at=NOON
    )
    outcome = outcome_of(command, result)
    assert hasattr(ua.StatusCodes, outcome.value)
    is_done = code in (ResultCode.OK, ResultCode.DUPLICATE)
    assert (outcome is OrderOutcome.GOOD) == is_done
    assert outcome_of(command, None) is OrderOutcome.TIMEOUT


def test_only_who_knows_the_password_of_a_name_is_let_in():
    users = Users({"li.wei": hash_of("right")})
    found = users.get_user(None, "li.wei", "right")
    assert found is not None
    assert found.name == "li.wei"
    for name, password in (("li.wei", "wrong"), ("li.wei", None), ("nobody", "right"), (None, "")):
        assert users.get_user(None, name, password) is None
    assert users.refused == 3
    guest = Users({}, is_open=True).get_user(None)
    assert guest is not None
    assert guest.name is None


def test_a_certificate_is_made_once_and_strangers_are_refused(tmp_path):
    clock = ManualClock(NOON_NS)
    made = open_certificates(tmp_path, "127.0.0.1", "urn:a", clock, trust_all=False)
    before = made.certificate.read_bytes()
    again = open_certificates(tmp_path, "127.0.0.1", "urn:a", clock, trust_all=False)
    assert again.certificate.read_bytes() == before
    assert made.key.stat().st_mode & 0o077 == 0
    stranger = x509.load_pem_x509_certificate(before)
    with pytest.raises(ServiceError) as refusal:
        made.check_client(stranger)
    assert refusal.value.code == ua.StatusCodes.BadCertificateUntrusted
    (tmp_path / "trusted").mkdir()
    (tmp_path / "trusted" / "known.pem").write_bytes(before)
    made.check_client(stranger)


def test_a_folder_that_kubernetes_mounts_holds_certificates_alone(tmp_path):
    clock = ManualClock(NOON_NS)
    made = open_certificates(tmp_path, "127.0.0.1", "urn:a", clock, trust_all=False)
    version = tmp_path / "trusted" / "..2026_11_29_08_00_00.1"
    version.mkdir(parents=True)
    (version / "known.pem").write_bytes(made.certificate.read_bytes())
    (version.parent / "..data").symlink_to(version.name)
    (version.parent / "known.pem").symlink_to("..data/known.pem")
    with structlog.testing.capture_logs() as said:
        made.check_client(x509.load_pem_x509_certificate(made.certificate.read_bytes()))
    assert said == []
