"""``k8s/secrets.sh``: what the secured forms mount, made and replaced step by step."""

import hashlib
import json
import subprocess
from pathlib import Path

import pytest
import yaml
from meltwatch_schemas.access import ACCESS, Principal, redis_rules

from tests.support.manifests import KUBECTL, ROOT, containers, environment, workloads

pytestmark = pytest.mark.programs


def run(folder: Path, *verb: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", ROOT / "k8s/secrets.sh", folder, *verb], capture_output=True, text=True, check=False
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "secrets"
    assert (done := run(made, "laptop")).returncode == 0, done.stderr
    return made


def given(folder: Path) -> dict[str, set[str]]:
    """Return the keys of what a cluster is given, by name."""
    rendered = subprocess.run(
        [KUBECTL, "kustomize", folder], capture_output=True, text=True, check=True
    )
    return {
        each["metadata"]["name"]: {*each["data"]}
        for each in yaml.load_all(rendered.stdout, yaml.CSafeLoader)
    }


def password(folder: Path, workload: str, kind: str = "kafka") -> str:
    return (folder / f"logins/{workload}/{kind}-password").read_text().strip()


def is_signed(folder: Path, name: str, trusted: str = "trusted.crt") -> bool:
    command = ["openssl", "verify", "-x509_strict", "-CAfile", trusted, f"{name}.crt"]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0


def needed(overlay: str) -> dict[str, set[str]]:
    """Return the keys of the Secrets that pods of an overlay must have, by name."""
    found: dict[str, set[str]] = {}
    for workload in workloads(overlay).values():
        for volume in workload.spec["volumes"]:
            for each in [volume, *volume.get("projected", {}).get("sources", [])]:
                if "secret" in each:
                    name = each["secret"].get("secretName") or each["secret"]["name"]
                    keys = {item["key"] for item in each["secret"].get("items", [])}
                    found.setdefault(name, set()).update(keys)
    return found


def test_every_workload_that_logs_in_is_let_in():
    """Options, too: who has a password of its own is known to the broker by it."""
    overlay = "laptop-secured with options"
    (logins,) = (
        volume["projected"]["sources"]
        for volume in workloads(overlay)["kafka"].spec["volumes"]
        if volume["name"] == "logins"
    )
    let_in = {each["secret"]["items"][0]["path"]: each["secret"]["name"] for each in logins}
    asked = {}
    for workload, container in containers(overlay):
        user = environment(overlay, container).get("MELTWATCH_KAFKA_USERNAME")
        for volume in workload.spec["volumes"]:
            if user and volume["name"] == "login":
                asked[user] = volume["secret"]["secretName"]
    assert asked == let_in


def test_it_makes_all_that_pods_of_the_secured_laptop_must_have(folder):
    asked, made = needed("laptop-secured"), given(folder)
    options = (
        "source-producer", "notify-gateway", "console", "alarm-journal", "nightly-backtest",
        "shadow-processor", "backup", "tracer",
    )  # fmt: skip
    assert asked.keys() - made.keys() == {f"{name}-login" for name in options}
    assert made.keys() - asked.keys() == {"plant-ca"}
    for name in made.keys() & asked.keys():
        assert asked[name] <= made[name]
    assert made["kafka-tls"] == {"tls-combined.pem"}
    assert made["alarm-manager-login"] == made["selftest-login"] != made["topics-login"]


def test_it_makes_all_that_a_plant_must_have_but_for_the_people_of_opc_ua(tmp_path):
    assert run(tmp_path / "secrets").returncode == 0
    asked, made = needed("plant"), given(tmp_path / "secrets")
    assert asked.keys() - made.keys() == {"opcua-server", "opcua-users"}
    assert made.keys() - asked.keys() == {"plant-ca"}


def test_nobody_else_on_the_machine_reads_it_and_it_says_no_secret(folder):
    for file in folder.rglob("*"):
        assert file.stat().st_mode & 0o077 == 0, file
    done = run(folder, "passwords")
    assert (done.stdout, done.stderr) == ("", "")
    assert password(folder, "topics") not in (folder / "kustomization.yaml").read_text()


def test_what_is_there_stays_and_further_workloads_come_beside(folder):
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    assert run(folder).returncode == 0
    assert {file: file.read_bytes() for file in before} == before
    assert run(folder, "add", "console").returncode == 0
    assert "console-login" in given(folder)
    assert (
        password(folder, "topics") == before[folder / "logins/topics/kafka-password"].decode()[:-1]
    )


def test_redis_users_have_the_rights_of_the_catalogue_and_hashes_alone(folder):
    users = dict(
        line.removeprefix("user ").split(" ", 1)
        for line in (folder / "users.acl").read_text().splitlines()
    )
    assert users.pop("default") == "off"
    for user, said in users.items():
        digest = hashlib.sha256(password(folder, user.replace("_", "-"), "redis").encode())
        use = ACCESS[Principal(user)].redis
        assert use is not None
        assert said.split() == ["on", f"#{digest.hexdigest()}", *redis_rules(use, "meltwatch")]
    services = {user for user in ("alarm_manager", "selftest", "stream_processor", "console")
                if ACCESS[Principal(user)].redis}  # fmt: skip
    assert users.keys() == services


def test_new_passwords_leave_redis_the_old_ones_until_they_are_forgotten(folder):
    before = password(folder, "selftest", "redis"), password(folder, "selftest")
    assert run(folder, "passwords").returncode == 0
    after = password(folder, "selftest", "redis"), password(folder, "selftest")
    assert not {*before} & {*after}
    acl = folder / "users.acl"
    hashes = [hashlib.sha256(each[0].encode()).hexdigest() for each in (before, after)]
    assert [each in acl.read_text() for each in hashes] == [True, True]
    assert run(folder, "finish").returncode == 0
    assert [each in acl.read_text() for each in hashes] == [False, True]
    assert before[1] not in json.dumps([file.read_text() for file in folder.rglob("*.*")])


def test_two_cas_are_trusted_between_the_old_one_and_the_new_one(folder):
    trusted = folder / "trusted.crt"
    old = trusted.read_text()
    assert is_signed(folder, "kafka")
    assert run(folder, "ca").returncode == 0
    assert trusted.read_text().count("BEGIN") == 2
    assert [is_signed(folder, name) for name in ("kafka", "redis", "triton")] == [True] * 3
    assert not is_signed(folder, "kafka", "ca.crt")
    assert "expected certificates of the new CA" in run(folder, "finish").stderr
    assert run(folder, "certificates").returncode == 0
    assert [is_signed(folder, name, "ca.crt") for name in ("kafka", "redis", "triton")] == [
        True
    ] * 3
    assert run(folder, "finish").returncode == 0
    assert trusted.read_text().count("BEGIN") == 1
    assert trusted.read_text() != old


def test_a_second_new_ca_is_refused_while_two_are_trusted(folder):
    assert run(folder, "ca").returncode == 0
    before = (folder / "trusted.crt").read_text()
    done = run(folder, "ca")
    assert done.returncode == 2
    assert done.stderr.startswith("secrets: expected one CA, there are two")
    assert (folder / "trusted.crt").read_text() == before


def test_a_login_has_the_name_of_a_workload(folder):
    before = (folder / "kustomization.yaml").read_text()
    assert "expected the name of a workload" in run(folder, "add", "../console").stderr
    assert (folder / "kustomization.yaml").read_text() == before


def test_what_it_does_not_know_changes_nothing(tmp_path):
    assert run(tmp_path / "secrets", "rotate").returncode == 2
    assert not (tmp_path / "secrets").exists()


def test_the_plants_own_cas_are_trusted_too(folder):
    (folder / "others/kafka.crt").write_text("-----BEGIN CERTIFICATE-----\nof the plant\n")
    assert run(folder).returncode == 0
    assert "of the plant" in (folder / "trusted.crt").read_text()
