"""What ``video:`` and ``current:`` of a plant file may say, and what becomes of what is wrong."""

from pathlib import Path

import pytest
from meltwatch_chassis.plant import read_plant
from meltwatch_sources.plant import PlantSources, read_sources

HEAD = """\
credentials_dir: /run/logins
furnaces:
  - id: site/area/F-1
    name: Furnace 1
"""
VIDEO = """\
    video:
      source_id: cam-1
      address: rtsp://10.4.1.23/stream2
      credentials: cam-03
      crop: [412, 96, 480, 480]
      rotate_degrees: 90
      camera_delay_s: 0.18
"""
CURRENT = """\
    current:
      source_id: meter-1
      address: modbus-tcp://10.4.1.40:502?unit=1
      registers: {kind: holding, first: 3000, type: float32, order: cdab}
      scale: 20
      phases: [a, c, b]
"""
PASSWORD = "p@s:/?#%é"  # noqa: S105 - of no camera


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "plant.yaml"


def read(file: Path, text: str) -> PlantSources:
    file.write_text(text)
    return read_sources(file)


def fault(file: Path, text: str) -> str:
    (planned,) = read(file, text).videos
    assert planned.source is None
    assert planned.fault is not None
    return planned.fault


def test_a_camera_and_a_meter_are_read_as_they_are_written(file: Path) -> None:
    sources = read(file, HEAD + VIDEO + CURRENT)

    camera, meter = sources.videos[0].source, sources.currents[0].source
    assert camera is not None
    assert meter is not None
    assert (camera.where.host, camera.where.port, camera.where.path) == (
        "10.4.1.23",
        554,
        "/stream2",
    )
    assert camera.crop == (412, 96, 480, 480)
    assert (meter.where.scheme, meter.where.query) == ("modbus+tcp", {"unit": "1"})
    assert meter.registers is not None
    assert meter.registers.order == "cdab"
    assert sources.credentials_dir == Path("/run/logins")


def test_a_wrong_source_is_no_hindrance_to_its_neighbours_nor_to_other_services(file: Path) -> None:
    wrong = VIDEO.replace("rotate_degrees: 90", "rotate_degrees: 45")
    sources = read(file, HEAD + wrong + CURRENT)

    assert sources.videos[0].fault is not None
    assert sources.currents[0].source is not None
    assert len(read_plant(file).furnaces) == 1


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("rotate_degrees: 90", "rotate_degrees: 45", 10, "rotate_degrees"),
        ("rotate_degrees", "rotate", 10, "rotate: Extra inputs"),
        ("rtsp://", "rtmp://", 7, "one of file, rtsp, rtsps, got none"),
        ("rtsp://", "gige://", 7, "a later version"),
        ("10.4.1.23", "10.4.1.23:99999", 7, "host:port/path"),
        ("credentials: cam-03", "credentials: ../../etc", 8, "the name of a folder"),
        ("480, 480", "480, -1", 9, "crop"),
        ("source_id: cam-1", 'source_id: "a\\x1b[2J"', 6, "printable"),
        ("camera_delay_s: 0.18", "camera_delay_s: 9", 11, "camera_delay_s"),
        ("camera_delay_s: 0.18", "ca_file: cam.pem", 6, "beside an rtsps:// address"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_line(
    file: Path, old: str, new: str, line: int, said: str
) -> None:
    told = fault(file, HEAD + VIDEO.replace(old, new))

    assert told.startswith(f"{file}:{line}: furnaces.0.video")
    assert said in told
    assert told.isprintable()


@pytest.mark.parametrize(
    "video",
    [
        f"    video: {{source_id: c, address: 'rtsp://u:{PASSWORD}@10.4.1.23/s'}}\n",
        f"    video: {{source_id: c, address: 'rtsp://10.4.1.23/s?password={PASSWORD}'}}\n",
        "    video: {source_id: c, address: 'rtsp://h/s?user=u&password=p%40s'}\n",
        "    video: {source_id: c, address: 'rtsp://h/user=u_password=p%40s_channel=1'}\n",
        f"    video: {{source_id: c, address: 'rtsp://h/s', credentials: 'u:{PASSWORD}'}}\n",
        f"    video: {{source_id: c, address: 'rtsp://h/s', password: '{PASSWORD}'}}\n",
        f"    video: 'rtsp://u:{PASSWORD}@10.4.1.23/s'\n",
        f"    video: ['{PASSWORD}']\n",
        f"    video: {{source_id: c, address: ['{PASSWORD}']}}\n",
    ],
)
def test_a_login_in_a_plant_file_is_refused_and_not_repeated(file: Path, video: str) -> None:
    told = fault(file, HEAD + video)

    assert "p@s" not in told
    assert "%" not in told


def test_the_sources_of_a_plant_without_any_are_none(file: Path) -> None:
    sources = read(file, HEAD)

    assert (sources.videos, sources.currents) == ((), ())


OPC_UA = """\
    current:
      source_id: plc-04
      address: opc.tcp://plc-04:4840
      credentials: plc-04
      nodes: ["nsu=urn:plc;s=IA", "nsu=urn:plc;s=IB", "nsu=urn:plc;s=IC"]
      security: Basic256Sha256/SignAndEncrypt
"""


def test_a_node_is_named_by_uri_and_security_by_its_standard_words(file: Path) -> None:
    (planned,) = read(file, HEAD + OPC_UA).currents
    assert planned.source is not None, planned.fault
    assert planned.source.nodes == ("nsu=urn:plc;s=IA", "nsu=urn:plc;s=IB", "nsu=urn:plc;s=IC")


MQTT = """\
    current:
      source_id: gateway-05
      address: mqtts://broker.plant
      messages: {topics: [plant/f5], values: [/ia, /ib, /i~1c], time: /ts}
"""
SPARKPLUG = """\
    current:
      source_id: gateway-05
      address: mqtt://broker.plant
      sparkplug: {group: plant, edge: gw, device: f5, metrics: [Ia, Ib, Ic]}
"""


def test_a_meter_behind_a_broker_is_read_as_it_is_written(file: Path) -> None:
    (of_json,), (of_sparkplug,) = (read(file, HEAD + each).currents for each in (MQTT, SPARKPLUG))
    assert of_json.source is not None, of_json.fault
    assert of_sparkplug.source is not None, of_sparkplug.fault
    assert (of_json.source.where.port, of_sparkplug.source.where.port) == (8883, 1883)
    assert of_json.source.messages is not None
    assert of_json.source.messages.values == ("/ia", "/ib", "/i~1c")
    assert of_sparkplug.source.sparkplug is not None
    assert of_sparkplug.source.sparkplug.device == "f5"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (MQTT.replace("[plant/f5]", "[plant/+]"), "expected a topic without + and #"),
        (MQTT.replace("[plant/f5]", "[a, b]"), "expected one topic for all values, or one a"),
        (MQTT.replace("[plant/f5]", "[]"), "expected one topic for all values, or one a"),
        (MQTT.replace("/ib", "/ia"), "expected a place of its own for each value"),
        (MQTT.replace("/ib", "ib"), "expected a JSON pointer such as /data/ia"),
        (MQTT.replace("/i~1c", "/i~c"), "expected a JSON pointer such as /data/ia"),
        (MQTT.replace("broker.plant", "broker.plant/f5"), "mqtts://host:port and nothing behind"),
        (MQTT.replace("mqtts", "opc.tcp"), "expected 'nodes' and no other part"),
        (
            MQTT.replace("      messages", "      registers: {first: 1}\n      messages"),
            "expected 'messages' or 'sparkplug' and no other part",
        ),
        (SPARKPLUG.replace("edge: gw", "edge: g/w"), "without / + #"),
        (SPARKPLUG.replace("Ib", "Ia"), "expected three names"),
        (CURRENT.replace("unit=1", "unit=256"), "expected ?unit=0..255&framer=socket|rtu"),
        (CURRENT.replace("unit=1", "unit=²"), "expected ?unit=0..255&framer=socket|rtu"),
        (CURRENT.replace("unit=1", "framer=tls"), "expected ?unit=0..255&framer=socket|rtu"),
        (CURRENT.replace("unit=1", "slave=1"), "expected ?unit=0..255&framer=socket|rtu"),
        (CURRENT.replace("3000", "65533"), "expected three values below register 65536"),
        (CURRENT.replace("cdab", "acbd"), "'abcd'"),
        (CURRENT.replace("[a, c, b]", "[a, b, b]"), "expected a, b and c, each once"),
        (CURRENT.replace("scale: 20", "scale: 0"), "greater than 0"),
        (OPC_UA.replace("nsu=urn:plc;s=IB", "ns=2;s=IB"), "expected nsu=URI;s=NAME"),
        (OPC_UA.replace("Basic256Sha256", "Basic256"), "'Basic256Sha256/Sign'"),
        (OPC_UA.replace("      credentials: plc-04\n", ""), "expected 'credentials' beside"),
        (OPC_UA + "      registers: {first: 1}\n", "expected 'nodes' and no other part"),
    ],
)
def test_what_a_meter_cannot_be_told_is_one_line_with_file_and_line(
    file: Path, wrong: str, said: str
) -> None:
    (planned,) = read(file, HEAD + wrong).currents
    assert planned.source is None
    assert planned.fault is not None
    assert planned.fault.startswith(f"{file}:")
    assert said in planned.fault
