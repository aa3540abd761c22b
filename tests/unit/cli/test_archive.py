"""Folders of files in a backup: given back as they were, or refused in one line."""

import hashlib
import io
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
from meltwatch_chassis.errors import BadUsage, BrokenRecording
from meltwatch_chassis.recording.manifest import FolderArchive
from meltwatch_cli.adapters.archive import check, pack, require_room, unpack

OLD_S = 1_700_000_000.5


def nothing(_: int) -> None:
    pass


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    """A folder as the console keeps it, with what is none of its own."""
    folder = tmp_path / "evidence"
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        (folder / name / "evidence.json").write_text(f'{{"of": "{name}"}}')
        (folder / name / "frame-0.png").write_bytes(os.urandom(70_000))
    (folder / "empty").mkdir()
    (folder / "c-12ab.draft").mkdir()
    (folder / "c-12ab.draft" / "frame-0.png").write_bytes(b"half")
    (folder / "a" / "link.json").symlink_to("/etc/passwd")
    os.mkfifo(folder / "b" / "pipe.json")
    os.utime(folder / "a", (OLD_S, OLD_S))
    return folder


def told(folder: Path) -> dict[str, bytes | None]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def test_files_and_their_times_are_given_back_and_nothing_that_is_no_file(evidence, tmp_path):
    (tmp_path / "kept").mkdir()
    archive = pack("evidence", evidence, tmp_path / "kept", nothing)
    assert archive.files == 4
    assert archive.bytes == (tmp_path / "kept" / "evidence.tar").stat().st_size
    check(tmp_path / "kept", archive, nothing)
    back = tmp_path / "back"
    unpack(tmp_path / "kept", archive, back, nothing)
    left_out = {"c-12ab.draft", "c-12ab.draft/frame-0.png", "a/link.json", "b/pipe.json"}
    wanted = {
        name: each for name, each in told_without_pipes(evidence).items() if name not in left_out
    }
    assert told(back) == wanted
    assert (back / "a").stat().st_mtime == OLD_S


def told_without_pipes(folder: Path) -> dict[str, bytes | None]:
    (folder / "b" / "pipe.json").unlink()
    return told(folder)


def test_a_file_that_goes_while_it_is_packed_has_gone(evidence, tmp_path, monkeypatch):
    (tmp_path / "kept").mkdir()
    gone = evidence / "a" / "frame-0.png"
    real = Path.open

    def vanish(path: Path, *arguments: Any, **named: Any) -> Any:
        if path == gone:
            raise FileNotFoundError
        return real(path, *arguments, **named)

    monkeypatch.setattr(Path, "open", vanish)
    assert pack("evidence", evidence, tmp_path / "kept", nothing).files == 3


@pytest.mark.parametrize("harm", ["byte", "short", "long", "gone", "folder", "link"])
def test_an_archive_that_is_not_what_the_manifest_says_is_refused(evidence, tmp_path, harm):
    kept = tmp_path / "kept"
    kept.mkdir()
    archive = pack("evidence", evidence, kept, nothing)
    file = kept / "evidence.tar"
    data = file.read_bytes()
    if harm in ("byte", "short", "long"):
        file.write_bytes({"byte": data[:-1] + b"x", "short": data[:-1], "long": data + b"x"}[harm])
    else:
        file.unlink()
    if harm == "folder":
        file.mkdir()
    if harm == "link":
        (tmp_path / "elsewhere").write_bytes(data)
        file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BrokenRecording) as refused:
        check(kept, archive, nothing)
    assert "evidence.tar" in str(refused.value)
    assert "\n" not in str(refused.value)


def tar_of(kept: Path, *members: tarfile.TarInfo) -> FolderArchive:
    """Make a hostile archive with a manifest that agrees with it."""
    kept.mkdir(exist_ok=True)
    with tarfile.open(kept / "evidence.tar", "w") as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(bytes(member.size)))
    data = (kept / "evidence.tar").read_bytes()
    return FolderArchive(
        name="evidence", files=1, bytes=len(data), sha256=hashlib.sha256(data).hexdigest()
    )


def member(name: str, kind: bytes = tarfile.REGTYPE, **more: Any) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.size = kind, 3 if kind == tarfile.REGTYPE else 0
    for each, value in more.items():
        setattr(made, each, value)
    return made


@pytest.mark.parametrize(
    "hostile",
    [
        member("../escaped"),
        member("a/../../escaped"),
        member("/escaped"),
        member("a", tarfile.SYMTYPE, linkname="/etc"),
        member("a", tarfile.LNKTYPE, linkname="../escaped"),
        member("a", tarfile.FIFOTYPE),
        member("a", tarfile.CHRTYPE),
        member("a", tarfile.GNUTYPE_SPARSE),
    ],
    ids=lambda each: f"{each.type!r}{each.name}",
)
def test_nothing_is_written_outside_of_the_folder_and_nothing_but_files(tmp_path, hostile):
    archive = tar_of(tmp_path / "kept", hostile)
    check(tmp_path / "kept", archive, nothing)
    back = tmp_path / "back"
    with pytest.raises((BrokenRecording, BadUsage)) as refused:
        unpack(tmp_path / "kept", archive, back, nothing)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "escaped").exists()
    assert {path.name for path in back.iterdir()} <= {"restoring.draft"}


def test_a_name_that_comes_twice_is_refused(tmp_path):
    archive = tar_of(tmp_path / "kept", member("a"), member("a"))
    with pytest.raises(BadUsage, match="File exists"):
        unpack(tmp_path / "kept", archive, tmp_path / "back", nothing)


def test_what_is_no_tar_file_is_refused(tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "evidence.tar").write_bytes(b"no tar" * 500)
    archive = FolderArchive(name="evidence", files=1, bytes=3000, sha256="0" * 64)
    with pytest.raises(BrokenRecording, match="expected a tar file"):
        unpack(kept, archive, tmp_path / "back", nothing)


def test_a_folder_that_holds_files_is_refused_but_not_the_rest_of_an_interrupted_restore(
    evidence, tmp_path
):
    with pytest.raises(BadUsage, match=r"expected an empty folder, found .*/a"):
        require_room("evidence", evidence)
    back = tmp_path / "back"
    require_room("evidence", back)
    (back / "lost+found").mkdir(parents=True)
    (back / "restoring.draft" / "old").mkdir(parents=True)
    (back / "restoring.draft" / "old" / "half").write_bytes(b"half")
    (back / "restoring.draft" / "way-out").symlink_to(evidence)
    require_room("evidence", back)
    (tmp_path / "kept").mkdir()
    archive = pack("evidence", evidence, tmp_path / "kept", nothing)
    unpack(tmp_path / "kept", archive, back, nothing)
    assert {path.name for path in back.iterdir()} == {"a", "b", "empty", "lost+found"}
    assert (evidence / "a" / "evidence.json").exists()


def test_a_folder_that_is_none_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadUsage, match="--files evidence: expected a folder"):
        pack("evidence", tmp_path / "file", tmp_path, nothing)
    with pytest.raises(BadUsage, match="--files evidence: expected a folder"):
        require_room("evidence", tmp_path / "file")
