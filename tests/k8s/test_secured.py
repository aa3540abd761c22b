"""The secured laptop overlay on a real cluster: least rights, hidden secrets, a rotation of all.

A story, told in this order. The rotation does what docs/kubernetes.md says, step by step.
"""

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import closing, nullcontext
from itertools import pairwise
from pathlib import Path

import pytest
import redis
import yaml

from tests.k8s import beside, monitored, options
from tests.k8s.cluster import (
    NAMESPACE,
    diagnosis,
    forwarded,
    is_ready,
    kubectl,
    pods,
    run,
    say,
    wait_for,
)
from tests.k8s.conftest import PREFIX, SECURED, Laptop, apply, broker, manifests_of, reading
from tests.k8s.secrets_folder import Secrets
from tests.k8s.story import (
    judge_every_window,
    longest_silences,
    rotation,
    until_the_self_test_has_passed,
)
from tests.support.product import MELTWATCH
from tests.support.prometheus import Prometheus

pytestmark = [
    pytest.mark.k8s,
]
# Of a furnace or the alarm manager, while each server and service starts anew. No promise: it was
# 21 s on two busy cores, and 111 s where ten times their work waited.
LONGEST_SILENCE_S = 300
SERVICES = "app.kubernetes.io/component=service"


@pytest.fixture(scope="module")
def secrets(overlays: Path, namespace: str, tmp_path_factory: pytest.TempPathFactory) -> Secrets:
    """Secrets, known to the cluster."""
    made = Secrets(tmp_path_factory.mktemp("secured") / "secrets")
    kubectl("apply", "-f", "k8s/base/namespace.yaml")
    made.make("laptop")
    made.make("add", *options.LOGINS)
    options.bring_channels(made.folder.parent)
    made.known.add(options.HOOK["password"])
    return made


@pytest.fixture(scope="module")
def overlay(overlays: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the secured overlay with its options."""
    folder = tmp_path_factory.mktemp("with-options") / SECURED
    further = () if monitored.missing() else ("monitoring",)
    options.with_options(manifests_of(overlays), folder, further)
    return folder


@pytest.fixture(scope="module")
def laptop(request: pytest.FixtureRequest, overlay: Path, secrets: Secrets) -> Iterator[Laptop]:
    """The secured overlay with its options, applied."""
    image = image_of(overlay, "tools")
    log = secrets.folder.with_name("operator.log")
    log.touch()
    watched = nullcontext() if monitored.missing() else monitored.operated(image, log)
    with beside.brought(image), watched:
        yield apply(overlay)
        if request.session.testsfailed:
            print(diagnosis(), *log.read_text().splitlines()[-20:], sep="\n")


@pytest.fixture
def plant(laptop: Laptop) -> Iterator[Prometheus]:
    """The plant's Prometheus."""
    if lacking := monitored.missing():
        pytest.skip(lacking)
    with monitored.watching() as made:
        yield made


def image_of(overlay: Path, name: str) -> str:
    """Return where an overlay finds an image."""
    listed = yaml.safe_load((overlay / "kustomization.yaml").read_text())["images"]
    (found,) = (each for each in listed if each["name"] == f"meltwatch/{name}")
    return f"{found['newName']}:{found['newTag']}"


def test_the_self_test_passes(laptop: Laptop):
    until_the_self_test_has_passed(laptop)


def test_what_runs_at_night_is_started_by_hand(laptop: Laptop, tmp_path: Path):
    # An hour of the day before is what it asks for; a new plant has two minutes.
    options.start("nightly-backtest", tmp_path, ["backtest", "--from", "2m", "--to", "1m"])
    options.start("alarm-journal", tmp_path)
    options.start("backup", tmp_path)


def test_a_backup_lies_in_its_volume_with_the_evidence(laptop: Laptop):
    assert "saved" in options.ended("backup")
    (folder,) = {file.partition("/")[0] for file in beside.files("backups")}
    saved = json.loads(beside.read("backups", f"{folder}/backup.json"))
    say(f"backup: {saved}")
    assert f"{folder}/evidence.tar" in beside.files("backups")


def test_the_journal_has_the_alarm_of_the_self_test(laptop: Laptop):
    log = options.ended("alarm-journal")
    (alarms,) = (line for line in log.splitlines() if line.startswith("alarms: "))
    assert int(alarms.split()[1]) > 0
    assert [file for file in beside.files("alarm-journal") if file.endswith(".parquet")]


def test_a_backtest_gives_what_was_judged_live(laptop: Laptop):
    log = options.ended("nightly-backtest")
    assert "The replay gives exactly the live windows" in log
    assert [file for file in beside.files("backtests") if file.endswith("/report.html")]


def test_the_console_shows_the_plant_to_whom_the_login_has_signed(laptop: Laptop):
    with options.consoles() as console:
        assert "<title>" in console.page()
        assert console.ask("me", groups=None) == 401
        assert console.ask("me")["role"] == "operate"
        assert console.ask("me", ["process"])["role"] == "engineer"
        furnaces = {each["id"] for each in console.ask("furnaces")["furnaces"]}
        assert {name.partition("/")[0] for name in furnaces} >= {"demo"}
        assert console.ask("alarms")
        services = {each["name"]: each["state"] for each in console.ask("system")["services"]}
        say(f"console: {len(furnaces)} furnaces, services {services}")
        assert set(services.values()) == {"ok"}
        assert console.ask("backtests") == 403
        assert len(console.ask("backtests", ["process"])["backtests"]) == 1


def test_the_ensemble_in_shadow_scores_what_live_scores(laptop: Laptop):
    with broker() as address:
        done = subprocess.run(
            [MELTWATCH, "shadow", "report", "--json"],
            env=os.environ | {"MELTWATCH_KAFKA": address},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    live, shadow = report["live"], report["shadow"]
    say(f"windows: live {live['windows']}, in shadow {shadow['windows']}")
    assert shadow["model_digest"] == live["model_digest"]
    assert shadow["windows"]["scored"] > 0


def test_people_are_told_by_a_web_hook(laptop: Laptop):
    file = "/etc/meltwatch/notify/channels.yaml"
    kubectl("exec", "deployment/notify-gateway", "--", "meltwatch-notify", "test", "--file", file)
    login = base64.b64encode(f"{options.HOOK['user']}:{options.HOOK['password']}".encode())
    assert {each["login"] for each in beside.hooked()} == {f"Basic {login.decode()}"}


def test_prometheus_scrapes_every_pod_and_tells_nothing(plant: Prometheus):
    scraped = {"service", "server"}
    expected = {
        name
        for name, pod in pods().items()
        if pod["metadata"]["labels"]["app.kubernetes.io/component"] in scraped
        and pod["metadata"]["labels"]["app.kubernetes.io/name"]
        not in {"kafka", "redis", "triton-candidate"}
    }

    def answering() -> bool | None:
        return {each["metric"]["pod"] for each in plant.ask("up == 1")} == expected or None

    wait_for("every pod to be scraped", answering, 120)
    wait_for("every rule to be judged", lambda: {*plant.rules().values()} == {"ok"} or None, 120)
    assert plant.rules().keys() == monitored.written_rules()
    say(f"Prometheus scrapes {len(expected)} pods and judges {len(plant.rules())} rules")
    monitored.told(plant, set(), 60)


def test_a_service_goes_while_strangers_come(plant: Prometheus):
    kubectl("scale", "deployment", "notify-gateway", "--replicas", "0")


def test_users_have_the_rights_that_are_printed_and_no_others(laptop: Laptop):
    # Imported late: kafka-python's import warns before the root conftest has filtered it.
    from kafka import KafkaAdminClient  # noqa: PLC0415
    from kafka.admin import (  # noqa: PLC0415
        ACLFilter,
        ACLOperation,
        ACLPermissionType,
        ACLResourcePatternType,
        ResourcePatternFilter,
        ResourceType,
    )

    everything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
    anybody = ACLFilter(None, None, ACLOperation.ANY, ACLPermissionType.ANY, everything)
    with broker() as address, closing(KafkaAdminClient(bootstrap_servers=[address])) as admin:
        found, _ = admin.describe_acls(anybody)
        users = {*admin.describe_user_scram_credentials()}
    given: dict[str, set[tuple[str, ...]]] = {user: set() for user in users}
    for each in found:
        what = each.resource_pattern
        given[each.principal.removeprefix("User:")].add(
            (
                each.operation.name,
                what.resource_type.name,
                what.resource_name,
                what.pattern_type.name,
            )
        )
    told = subprocess.run(
        [MELTWATCH, "topics", "acls", *sorted(users), "--json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    printed = {
        each["user"]: {
            tuple(right[name] for name in ("operation", "resource_type", "name", "pattern_type"))
            for right in each["kafka"]
        }
        for each in json.loads(told.stdout)
    }
    assert given == printed
    say(f"{len(users)} users with {len(found)} rights")


SEND = """
import os, sys
from kafka import KafkaProducer
from meltwatch_chassis.kafka.config import connection_arguments
from meltwatch_chassis.settings import KafkaSettings, load
arguments = connection_arguments(load(KafkaSettings, os.environ))
producer = KafkaProducer(max_block_ms=15000, **arguments)
producer.send(sys.argv[1], key=b"k", value=b"v").get(15)
"""


@pytest.mark.parametrize(
    ("pod", "topic"),
    [
        ("stream-processor-0", "alarms"),
        ("deployment/alarm-manager", "scores"),
        ("deployment/video-producer", "currents"),
        ("deployment/scada-adapter", "alarms"),
    ],
)
def test_no_service_can_write_what_is_anothers(laptop: Laptop, pod: str, topic: str):
    done = run("exec", pod, "--", "python", "-c", SEND, f"meltwatch.{topic}.v1")
    assert done.returncode != 0
    assert "TopicAuthorizationFailed" in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["MELTWATCH_KAFKA_SECURITY_PROTOCOL=PLAINTEXT"], "a server that wants TLS"),
        (["MELTWATCH_KAFKA_SECURITY_PROTOCOL=SSL"], "does it want a login (SASL)?"),
        (
            ["-u", "MELTWATCH_KAFKA_PASSWORD_FILE", "MELTWATCH_KAFKA_PASSWORD=w"],
            "wrong user or pas",
        ),
        (["MELTWATCH_KAFKA_USERNAME=alarm_manager"], "wrong user or password"),
        (["-u", "MELTWATCH_KAFKA_CA_FILE"], "a certificate signed by a CA of"),
        (["MELTWATCH_KAFKA=kafka:29092"], "Connection refused"),
    ],
    ids=["no TLS", "no login", "wrong password", "another's name", "no CA", "administrators' port"],
)
def test_kafka_lets_nobody_else_in(laptop: Laptop, changes: list[str], words: str):
    assert_refused(changes, words)


def assert_refused(changes: list[str], words: str) -> None:
    """Ask Kafka as the stream processor does, with changes of its environment."""
    wait = ("meltwatch", "topics", "wait", "--for", "1")
    done = run("exec", "stream-processor-0", "--", "env", *changes, *wait)
    assert done.returncode in {2, 3}, done.stdout
    assert words in done.stdout + done.stderr


def test_redis_lets_in_by_name_and_to_the_least(laptop: Laptop, secrets: Secrets):
    with forwarded("svc/redis", 6379) as address:
        with secrets.redis(address, "selftest") as client:
            assert client.hget("meltwatch:alarm:none", "record") is None
            for forbidden in (["SET", "meltwatch:x", "1"], ["HGET", "other", "x"], ["ACL", "LIST"]):
                with pytest.raises(redis.exceptions.NoPermissionError):
                    client.execute_command(*forbidden)
        with (
            secrets.redis(address, None) as client,
            pytest.raises(redis.exceptions.AuthenticationError),
        ):
            client.ping()
        with (
            redis.Redis.from_url(f"redis://{address}/0") as client,
            pytest.raises(redis.exceptions.ConnectionError),
        ):
            client.ping()


def test_triton_answers_nobody_without_tls(laptop: Laptop, secrets: Secrets):
    from tritonclient import grpc  # noqa: PLC0415

    with forwarded("pod/triton-0", 8001) as address:
        client = grpc.InferenceServerClient(address, ssl=True, root_certificates=str(secrets.ca))
        with closing(client):
            assert client.is_server_ready()
        with (
            closing(grpc.InferenceServerClient(address)) as plain,
            pytest.raises(grpc.InferenceServerException),
        ):
            plain.is_server_ready(client_timeout=10)


def test_no_secret_is_seen_from_outside(laptop: Laptop, secrets: Secrets):
    assert_hidden(secrets)


def assert_hidden(secrets: Secrets) -> None:
    """Look for every secret there has been: in objects, environments, command lines and logs."""
    kinds = "pods,jobs,cronjobs,deployments,statefulsets,configmaps,events"
    places = {"objects": kubectl("get", kinds, "--output", "json")}
    looked = 0
    for name, pod in pods().items():
        places[f"log of {name}"] = run("logs", name, "--all-containers", "--ignore-errors").stdout
        if pod["status"]["phase"] != "Running":
            continue
        states = [
            *pod["status"].get("initContainerStatuses", ()),
            *pod["status"]["containerStatuses"],
        ]
        for container in (each["name"] for each in states if "running" in each["state"]):
            look = "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'"
            seen = run("exec", name, "--container", container, "--", "sh", "-c", look).stdout
            assert "PATH=" in seen, f"{name}: {container} shows nothing of its processes"
            places[f"processes of {name}"] = seen
            looked += 1
    say(f"{len(secrets.known)} secrets looked for in {len(places)} places, {looked} containers")
    assert len(secrets.known) > 10
    for place, text in places.items():
        assert not [secret for secret in secrets.known if secret in text], place


def test_the_service_that_is_gone_was_told_by_its_rule_alone(plant: Prometheus):
    monitored.told(plant, {"MeltwatchServiceGone"}, 240)
    kubectl("scale", "deployment", "notify-gateway", "--replicas", "1")


def test_everything_is_rotated_while_furnaces_stream(
    laptop: Laptop, overlay: Path, secrets: Secrets
):
    secrets.remember()
    say("1. new passwords beside the old ones, a new CA beside the old one")
    secrets.make("passwords")
    secrets.make("ca")
    roll("deployment/redis")
    users = sum(file.is_dir() for file in (secrets.folder / "logins").iterdir())
    wait_for("Kafka to take the new passwords", lambda: let_in(2 * users), 180)
    roll_services()
    say("2. certificates of the new CA")
    secrets.make("certificates")
    certificate = (secrets.folder / "kafka.pem").read_text()
    pem = (
        "exec",
        "kafka-0",
        "--container",
        "kafka",
        "--",
        "cat",
        "/etc/kafka/tls/tls-combined.pem",
    )
    wait_for("the broker's certificate", lambda: run(*pem).stdout == certificate or None, 180)
    run("exec", "kafka-0", "--container", "kafka", "--", "sh", "-c", "kill 1")
    wait_for("the broker", lambda: started_again("kafka-0"), 180)
    roll("deployment/redis", "statefulset/triton", "deployment/triton-candidate")
    wait_for("both Tritons in the rotation", rotation, 180)
    say("3. the old passwords and the old CA are forgotten")
    secrets.make("finish")
    roll("deployment/redis")
    roll_services()
    say("the self-test once more")
    kubectl("delete", "jobs", "--all")
    until_the_self_test_has_passed(apply(overlay))


def test_scores_and_heartbeats_went_on_meanwhile(laptop: Laptop, secrets: Secrets):
    with broker() as address, reading(address) as reader:
        silences_s = longest_silences(reader, secrets.rotation_ns)
        beats_ns = [stamp for stamp in heartbeats(address) if stamp > secrets.rotation_ns]
    silences_s["the alarm manager"] = max(b - a for a, b in pairwise(beats_ns)) / 1e9
    for whose, silence_s in silences_s.items():
        say(f"longest silence of {whose}: {silence_s:.1f} s")
    assert max(silences_s.values()) < LONGEST_SILENCE_S


def heartbeats(kafka: str) -> list[int]:
    """Return when the alarm manager was heard, ns."""
    from kafka import KafkaConsumer, TopicPartition  # noqa: PLC0415

    partition = TopicPartition(f"{PREFIX}.heartbeats.v1", 0)
    with closing(KafkaConsumer(bootstrap_servers=kafka)) as consumer:
        consumer.assign([partition])
        consumer.seek_to_beginning(partition)
        end, found = consumer.end_offsets([partition])[partition], []
        while consumer.position(partition) < end:
            for records in consumer.poll(500).values():
                found += [
                    each.timestamp * 10**6 for each in records if each.key == b"alarm_manager"
                ]
    return found


def let_in(times: int) -> bool | None:
    log = kubectl("logs", "kafka-0", "--container", "let-in")
    return log.count("has its password") == times or None


def started_again(pod: str) -> bool | None:
    found = pods()[pod]
    restarts = [each["restartCount"] for each in found["status"]["containerStatuses"]]
    return (restarts == [1] and is_ready(found)) or None


def roll(*workloads: str) -> None:
    kubectl("rollout", "restart", *workloads)
    for workload in workloads:
        kubectl("rollout", "status", workload, "--timeout=300s", timeout_s=310)
        say(f"{workload} is rolled out")


def roll_services() -> None:
    kinds = "deployments,statefulsets"
    names = kubectl("get", kinds, "--selector", SERVICES, "--output", "name").split()
    kubectl("rollout", "restart", kinds, "--selector", SERVICES)
    for name in names:
        kubectl("rollout", "status", name, "--timeout=300s", timeout_s=310)
        say(f"{name} is rolled out")


def test_what_is_old_lets_nobody_in(laptop: Laptop, secrets: Secrets, tmp_path: Path):
    old_ca = tmp_path / "ca.crt"
    old_ca.write_text(secrets.old["ca"])
    with forwarded("svc/redis", 6379) as address:
        with secrets.redis(address, "selftest") as client:
            assert client.hget("meltwatch:alarm:none", "record") is None
        with (
            secrets.redis(address, "selftest", password=secrets.old["selftest redis"]) as client,
            pytest.raises(redis.exceptions.AuthenticationError),
        ):
            client.ping()
        with (
            secrets.redis(address, "selftest", ssl_ca_certs=str(old_ca)) as client,
            pytest.raises(redis.exceptions.ConnectionError, match="CERTIFICATE_VERIFY_FAILED"),
        ):
            client.ping()
    old = f"MELTWATCH_KAFKA_PASSWORD={secrets.old['stream-processor kafka']}"
    assert_refused(["-u", "MELTWATCH_KAFKA_PASSWORD_FILE", old], "wrong user or password")
    trusted = kubectl("exec", "stream-processor-0", "--", "cat", "/etc/meltwatch/ca/ca.crt")
    assert trusted == secrets.ca.read_text() != secrets.old["ca"]


def test_old_and_new_secrets_are_seen_nowhere(laptop: Laptop, secrets: Secrets):
    assert_hidden(secrets)


def test_every_window_number_is_accounted_for(laptop: Laptop, secrets: Secrets):
    with broker() as address, reading(address) as reader:
        judge_every_window(reader, secrets.ca)


def test_everything_goes_when_it_is_deleted(laptop: Laptop, overlay: Path):
    kubectl("delete", "-k", str(overlay), timeout_s=240)
    assert run("get", "namespace", NAMESPACE).returncode != 0
