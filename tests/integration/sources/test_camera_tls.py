"""``rtsps://``: a camera's certificate is checked, by name and by who signed it."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
import trustme
from meltwatch_chassis.clock import SystemClock
from meltwatch_sources.adapters.cameras import camera_of
from meltwatch_sources.credentials import CredentialStore
from meltwatch_sources.plant import VideoSource
from meltwatch_sources.ports import SourceLost

from tests.support.cameras import (
    PASSWORD,
    USER,
    CameraServer,
    built_gortsplib,
    gortsplib_camera,
)
from tests.support.secured import Authority

pytestmark = [pytest.mark.integration]


class Cameras(NamedTuple):
    """Cameras behind TLS, and a folder with who signed their certificates."""

    folder: Path
    signed: CameraServer
    """By an authority, for 127.0.0.1."""
    own: CameraServer
    """By its maker, for another name, as cameras leave the factory."""
    plain: CameraServer
    """It speaks no TLS."""


@pytest.fixture(scope="module")
def cameras(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cameras]:
    folder = tmp_path_factory.mktemp("tls")
    program = built_gortsplib(folder)
    authority = Authority(folder / "plant")
    Authority(folder / "stranger")
    maker = trustme.CA().issue_cert("cam-4711.local")
    (folder / "own.key").write_bytes(maker.private_key_pem.bytes())
    (folder / "own.pem").write_bytes(maker.cert_chain_pems[0].bytes())
    login = folder / "logins" / "cam"
    login.mkdir(parents=True)
    (login / "username").write_text(USER)
    (login / "password").write_text(PASSWORD)
    (folder / "logins" / "mounted").symlink_to(login)
    signed = authority.issue("camera", "127.0.0.1")
    own = (folder / "own.pem", folder / "own.key")
    with ExitStack() as stack:
        yield Cameras(
            folder,
            *(
                stack.enter_context(gortsplib_camera(program, *options))
                for options in (
                    ["-cert", str(signed[0]), "-key", str(signed[1])],
                    ["-cert", str(own[0]), "-key", str(own[1])],
                    [],
                )
            ),
        )


def seen(cameras: Cameras, camera: CameraServer, **told: Any) -> str:
    """Open a camera with a login; return "a picture", or why there is none."""
    source = VideoSource.model_validate(
        {"source_id": "cam", "address": camera.tls_url, "credentials": "cam"} | told
    )
    store = CredentialStore(cameras.folder / "logins")
    frames = camera_of(source, cameras.folder, store, SystemClock()).frames(threading.Event())
    try:
        for frame in frames:
            return "a picture" if frame.picture().size else "none"
    except SourceLost as error:
        return error.why
    return "nothing"


@pytest.mark.parametrize(
    ("name", "told", "expected"),
    [
        ("signed", {"ca_file": "plant/ca.pem"}, "a picture"),
        ("signed", {}, "unable to get local issuer certificate; expected one for 127.0.0.1"),
        ("signed", {"ca_file": "stranger/ca.pem"}, "unable to get local issuer certificate"),
        (
            "signed",
            {"ca_file": "plant/ca.pem", "certificate_name": "cam-9"},
            "Hostname mismatch, certificate is not valid for 'cam-9'; expected one for cam-9",
        ),
        ("signed", {"ca_file": "plant/camera.key"}, "camera.key: expected certificates in PEM"),
        ("signed", {"ca_file": "none.pem"}, "none.pem: expected the certificate of an authority"),
        ("own", {"ca_file": "own.pem", "certificate_name": "cam-4711.local"}, "a picture"),
        ("own", {"ca_file": "own.pem"}, "not valid for '127.0.0.1'"),
        ("own", {"certificate_name": "cam-4711.local"}, "certificate"),
        ("plain", {"ca_file": "plant/ca.pem"}, "expected TLS at 127.0.0.1:"),
    ],
)
def test_a_camera_is_seen_if_its_certificate_is_right_and_else_one_line_says_why_not(
    cameras: Cameras,
    name: str,
    told: dict[str, str],
    expected: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    said = seen(cameras, getattr(cameras, name), **told)

    assert expected in said
    assert said.isprintable()
    said += "".join(capfd.readouterr())
    assert not any(form in said for form in (PASSWORD, quote(PASSWORD, safe=""), "p%40s", "p@s"))


def test_an_authority_in_the_folder_of_the_login_is_used(cameras: Cameras) -> None:
    mounted = cameras.folder / "logins" / "cam" / "ca.pem"
    mounted.write_bytes((cameras.folder / "plant" / "ca.pem").read_bytes())
    try:
        assert seen(cameras, cameras.signed) == "a picture"
    finally:
        mounted.unlink()
