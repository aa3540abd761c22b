"""``meltwatch sources …`` as an engineer types it, on real cameras and meters that stand still."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import av
import pytest
import yaml
from meltwatch_source_producer.acceptance import Acceptance, acceptance_file

from tests.support.cameras import (
    PASSWORD,
    USER,
    CameraServer,
    built_gortsplib,
    gortsplib_camera,
    gst_camera,
)
from tests.support.meter_process import MeterProcess
from tests.support.modbus_meter import FIRST, UNIT
from tests.support.opcua_meter import NAMES, URI
from tests.support.opcua_meter import USER as PLC_USER

pytestmark = [pytest.mark.integration]
Command = Callable[..., tuple[int, str, str]]
HOSTILE = "\x1b[2Jcamera\u202e"
SHOWN = "\\x1b[2Jcamera\\u202e"


class Plant(NamedTuple):
    """Real sources, and the folder with their plant file and logins."""

    folder: Path
    camera: CameraServer
    other: CameraServer
    """An hour off, and with a name that turns a terminal round."""
    meter: MeterProcess
    plc: MeterProcess

    @property
    def file(self) -> Path:
        """The plant file."""
        return self.folder / "plant.yaml"

    @property
    def logins(self) -> Path:
        """Where logins are."""
        return self.folder / "logins"


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    folder = tmp_path_factory.mktemp("plant")
    for name, user, password in (("cam", USER, PASSWORD), ("plc", PLC_USER, "secret")):
        (folder / "logins" / name).mkdir(parents=True)
        (folder / "logins" / name / "username").write_text(user)
        (folder / "logins" / name / "password").write_text(password)
    program = built_gortsplib(folder)
    with ExitStack() as stack:
        enter = stack.enter_context
        yield Plant(
            folder,
            enter(gst_camera("--rate", "10", "--key-every", "6")),
            enter(
                gortsplib_camera(
                    program, "-offset", "1h", "-title", HOSTILE, "-rate", "10", "-stamped", "10"
                )
            ),
            enter(MeterProcess("modbus_meter", "socket")),
            enter(MeterProcess("opcua_meter", str(folder), "secret", "1")),
        )


@pytest.fixture(autouse=True)
def told(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each test the same plant file, and look for the password in nothing that is kept."""
    monkeypatch.setenv("MELTWATCH_PLANT_FILE", str(plant.file))
    write(plant)
    yield
    kept = plant.folder / "accepted"
    said = "".join(file.read_text() for file in kept.glob("*.json")) if kept.exists() else ""
    assert PASSWORD not in said


def write(plant: Plant, **first: Any) -> None:
    """Write the plant file; the first camera may be told something else."""
    seen = {"address": plant.camera.locked_url, "credentials": "cam"}
    videos: list[dict[str, Any]] = [
        {**seen, "crop": [0, 0, 128, 128], **first},
        {"address": plant.other.url, "crop": [0, 0, 128, 128]},
        {**seen, "crop": [600, 0, 128, 128]},
        {"address": "rtsp://127.0.0.1:1/none"},
        {"address": plant.other.url, "crop": [0, 0, 1, 1]},
        {**seen, "crop": [320, 160, 200, 200]},
    ]
    currents = {
        1: {
            "address": f"modbus+tcp://127.0.0.1:{plant.meter.port}?unit={UNIT}",
            "registers": {"first": FIRST},
        },
        2: {
            "address": f"opc.tcp://127.0.0.1:{plant.plc.port}",
            "credentials": "plc",
            "nodes": [f"nsu={URI};s={name}" for name in NAMES],
        },
    }
    furnaces: list[dict[str, Any]] = []
    for number, video in enumerate(videos, 1):
        furnace = {"id": f"p/F-{number}", "name": f"{number}"}
        furnace["video"] = {"source_id": f"cam-{number}", **video}  # type: ignore[assignment]  # any
        if number in currents:
            furnace["current"] = {"source_id": f"m-{number}", **currents[number]}  # type: ignore[assignment]  # any
        furnaces.append(furnace)
    plant.file.write_text(
        yaml.safe_dump({"credentials_dir": str(plant.logins), "furnaces": furnaces})
    )


def by_source(said: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Give what ``check --json`` says of each source."""
    return {(each["furnace_id"][2:], each["modality"]): each for each in json.loads(said)}


def codes(looked: dict[str, Any], *, checked: bool = True) -> set[str]:
    return {each["code"] for each in looked["findings"] if each["is_checked"] is checked}


def test_check_says_of_each_source_what_is_wrong(plant: Plant, command: Command) -> None:
    code, said, error = command("sources", "check", "--seconds", "12", "--json")
    found = by_source(said)

    assert (code, error) == (3, "")
    assert len(found) == 8
    assert found["F-4", "video"]["state"] == "unreachable"
    assert "refused" in found["F-4", "video"]["why"]
    assert found["F-5", "video"]["state"] == "misconfigured"
    assert found["F-5", "video"]["why"].startswith(f"{plant.file}:")
    assert "crop_outside" in codes(found["F-3", "video"])
    assert {"frozen", "crop_misses_furnace"} <= codes(found["F-6", "video"])
    assert {"clock_offset", "sender_clock_disagrees"} <= codes(found["F-2", "video"])
    first = found["F-1", "video"]
    assert not codes(first) & {"frozen", "black_picture", "crop_outside", "crop_misses_furnace"}
    assert {"picture_turned", "exposure_drift"} <= codes(first, checked=False)
    assert "sender_clock_disagrees" in codes(first, checked=False), "12 s prove no clock"
    for meter in (found["F-1", "current"], found["F-2", "current"]):
        assert meter["state"] == "good"
        assert {"phase_order", "skew"} <= codes(meter, checked=False)


def test_a_check_of_one_furnace_is_said_in_lines(command: Command) -> None:
    code, said, _ = command("sources", "check", "p/F-3", "--seconds", "2")
    nobody = command("sources", "check", "p/F-9")

    assert code == 1
    assert said.splitlines()[0] == "p/F-3  video  red"
    assert "crop_outside: crop: expected [600, 0, 128, 128] within the picture" in said
    assert nobody[0] == 2
    assert len(nobody[2].splitlines()) == 1


def test_snapshot_shows_the_crop_and_what_the_model_sees(
    plant: Plant, command: Command, tmp_path: Path
) -> None:
    code, said, _ = command("sources", "snapshot", "p/F-1", "-o", str(tmp_path / "one.png"))
    outside = command("sources", "snapshot", "p/F-3", "-o", str(tmp_path / "three.png"))
    away = command("sources", "snapshot", "p/F-4", "-o", str(tmp_path / "four.png"))
    wrong = command("sources", "snapshot", "p/F-5", "-o", str(tmp_path / "five.png"))
    name = command("sources", "snapshot", "p/F-1", "-o", str(tmp_path / "one.jpg"))

    assert code == 0
    facts = dict(line.split(maxsplit=1) for line in said.splitlines())
    assert facts["size"] == "640×360 h264"
    assert facts["crop"] == "0 0 128 128"
    assert facts["currents"].count(" A") == 3
    with av.open(str(tmp_path / "one.png")) as file:
        picture = next(file.decode(video=0)).to_ndarray(format="rgb24")
    assert picture.shape == (360, 640 + 16 + 5 * 64, 3)
    assert (picture[60, 129] == (0, 255, 80)).all(), "the crop's edge is drawn"
    assert picture[300, 400].tolist() == pytest.approx([126] * 3, abs=6)
    assert outside[0] == 1
    assert "crop_outside" in outside[1]
    assert (tmp_path / "three.png").stat().st_size > 100
    assert [away[0], wrong[0], name[0]] == [3, 2, 2]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["one.png", "three.png"]


def test_clock_says_whose_clock_is_followed_and_how_far_the_camera_s_is_off(
    command: Command,
) -> None:
    code, said, _ = command("sources", "clock", "p/F-2", "--seconds", "8", "--json")
    facts = json.loads(said)

    assert code == 1
    assert facts["rung"] == "arrival"
    assert 3590 < facts["sender_offset_s"] < 3610
    assert facts["jitter_s"] >= 0
    assert facts["sync"] == "free"
    assert "clock_offset" in {each["code"] for each in facts["findings"]}
    code, said, _ = command("sources", "clock", "p/F-4")
    assert code == 3


@pytest.mark.long
def test_what_is_accepted_is_what_later_checks_compare_with(plant: Plant, command: Command) -> None:
    accept = ("sources", "accept", "p/F-1", "--by", "Li Wei", "--seconds", "9")
    code, said, _ = command(*accept)
    assert code == 1
    assert said.splitlines()[-1].startswith("nothing is kept; mend it, or accept it with --despite")
    assert not acceptance_file(plant.file, "p/F-1").exists()

    # Whatever a busy machine makes of a camera besides.
    known = [
        "host_clock_unsynchronised", "overlay_text", "jitter", "sender_clock_disagrees",
        "key_frames_too_far", "rate_too_low", "sampled_too_slowly", "decoder_errors",
    ]  # fmt: skip
    despite = [word for name in known for word in ("--despite", name)]
    code, said, error = command(*accept, *despite)
    assert code == 0, said + error
    file = acceptance_file(plant.file, "p/F-1")
    record = Acceptance.model_validate_json(file.read_bytes())
    assert (record.by, record.despite) == ("Li Wei", tuple(known))
    assert record.video is not None
    assert (record.video.width, record.video.height) == (640, 360)
    assert record.current is not None
    assert all(record.current.mean_a)
    assert file.with_suffix(".png").stat().st_size > 100

    _, said, _ = command("sources", "check", "p/F-1", "--seconds", "6", "--json")
    same = by_source(said)["F-1", "video"]
    assert not codes(same, checked=False) & {"exposure_drift", "white_balance_drift"}
    write(plant, rotate_degrees=180)
    _, said, _ = command("sources", "check", "p/F-1", "--seconds", "6", "--json")
    assert "picture_turned" in codes(by_source(said)["F-1", "video"])
    file.write_text("{}")
    _, said, _ = command("sources", "check", "p/F-1", "--seconds", "2")
    assert said.startswith(f"{file}: expected a record of 'sources accept'")


def test_probe_needs_no_plant_file_and_shows_no_text_of_a_camera_as_it_is(
    plant: Plant, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MELTWATCH_PLANT_FILE")
    code, said, _ = command("sources", "probe", plant.other.url, "--seconds", "4")

    assert code == 1, "it is an hour off"
    assert f"calls itself    {SHOWN}" in said
    assert not any(character in said for character in HOSTILE if not character.isprintable())
    assert "codec           mjpeg" in said
    assert f'      address: "{plant.other.url}"' in said
    proposed = yaml.safe_load(said.partition("for plant.yaml:\n")[2])
    assert proposed["video"]["address"] == plant.other.url

    login = ("--credentials", "cam", "--credentials-dir", str(plant.logins))
    code, said, error = command(
        "sources", "probe", plant.camera.locked_url, *login, "--seconds", "3"
    )
    assert "codec           h264" in said, error
    assert PASSWORD not in said
    refused = command("sources", "probe", plant.camera.locked_url)
    assert refused[0] == 3
    assert "refused the login" in refused[2]


def test_probe_reads_registers_in_all_orders_and_finds_nodes_that_look_like_currents(
    plant: Plant, command: Command
) -> None:
    address = f"modbus+tcp://127.0.0.1:{plant.meter.port}?unit={UNIT}"
    plant.meter.tell("order cdab")
    code, said, _ = command("sources", "probe", address, "--first", str(FIRST), "--seconds", "3")
    plant.meter.tell("new")
    rows = {line.split()[0]: line.split()[1:] for line in said.splitlines() if line}
    assert code == 1
    assert all(5000 < float(number) < 9000 for number in rows["cdab"])
    assert "wrong_byte_order" in said
    assert "set order: cdab" in said

    login = ("--credentials", "plc", "--credentials-dir", str(plant.logins))
    server = f"opc.tcp://127.0.0.1:{plant.plc.port}"
    code, said, _ = command("sources", "probe", server, *login, "--json")
    assert code == 0
    probed = json.loads(said)
    assert probed["plan"]["current"]["nodes"] == [f"nsu={URI};s={name}" for name in NAMES]
    assert len(probed["table"]) == 4


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (["modbus+tcp://127.0.0.1:1", "--first", "1"], 3, "expected a Modbus server"),
        (["modbus+tcp://127.0.0.1:1"], 2, "--first: expected the first register"),
        (["opc.tcp://127.0.0.1:1"], 3, "expected an OPC UA session"),
        (["rtsp://u:pass@127.0.0.1"], 2, "expected an address without a login"),
        (["gige://camera"], 2, "comes with a later version"),
        (["mqtt://broker"], 2, "'meltwatch sources check' tries it"),
        (["rtsp://127.0.0.1:1"], 3, "refused"),
        (["modbus+tcp://127.0.0.1:1?unit=999", "--first", "1"], 2, "expected ?unit=0..255"),
    ],
)
def test_a_probe_in_vain_is_one_line(
    command: Command, arguments: list[str], code: int, expected: str
) -> None:
    found = command("sources", "probe", *arguments)

    assert found[0] == code
    assert expected in found[2]
    assert len(found[2].splitlines()) == 1
    assert "pass@" not in found[2]
