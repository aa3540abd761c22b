"""A login reaches the library and nobody else."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meltwatch_sources.address import VIDEO_SCHEMES, parse_address
from meltwatch_sources.credentials import Credentials, CredentialStore, redacted, with_login
from meltwatch_sources.ports import SourceLost

URL = parse_address("rtsp://10.4.1.23/stream2", VIDEO_SCHEMES)
texts = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=3, max_size=30)


def folder_with(tmp_path: Path, username: bytes, password: bytes) -> CredentialStore:
    (tmp_path / "cam").mkdir()
    (tmp_path / "cam" / "username").write_bytes(username)
    (tmp_path / "cam" / "password").write_bytes(password)
    return CredentialStore(tmp_path)


@given(texts, texts)
def test_any_login_survives_the_way_into_an_address(username: str, password: str) -> None:
    parts = urlsplit(with_login(URL, Credentials(username, password)))

    assert (unquote(parts.username or ""), unquote(parts.password or "")) == (username, password)
    assert (parts.hostname, parts.path) == ("10.4.1.23", "/stream2")


@given(texts, texts, texts)
def test_no_text_of_a_library_holds_the_password(username: str, password: str, said: str) -> None:
    login = Credentials("user", password)
    for text in (
        f"{with_login(URL, login)}: Server returned 401",
        f"rtsp://user:{password}@10.4.1.23/stream2: invalid",
        f"{said} {password!r} {said}",
    ):
        told = redacted(text, login).replace("***", "")
        assert (
            password not in told
            or password in redacted(text.replace(password, ""), None) + URL.text
        )
        assert told.isprintable()


def test_a_login_does_not_show_itself() -> None:
    assert "secret" not in repr(Credentials("root", "secret"))


def test_line_ends_at_the_end_of_a_file_are_no_part_of_it(tmp_path: Path) -> None:
    login = folder_with(tmp_path, b"root\n", "p@s:/?#%é\r\n".encode()).read("cam")

    assert (login.username, login.password) == ("root", "p@s:/?#%é")


@pytest.mark.parametrize("password", [b"", b"\xff\xfe", b"a\nb", b"x" * 5000, b"a\0b"])
def test_a_file_that_is_no_login_is_named_and_not_shown(tmp_path: Path, password: bytes) -> None:
    store = folder_with(tmp_path, b"root", password)

    with pytest.raises(SourceLost, match="password: expected") as error:
        store.read("cam")
    assert "xxx" not in error.value.why


def test_a_login_that_is_not_mounted_yet_is_waited_for(tmp_path: Path) -> None:
    with pytest.raises(SourceLost, match="No such file"):
        CredentialStore(tmp_path).read("cam")
