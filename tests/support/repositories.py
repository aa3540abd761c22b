"""Model repositories: what names their files, and one with other members than the shipped."""

import importlib.util
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from meltwatch_schemas.tensors import ENSEMBLE

from tests.support.source import ROOT

SHIPPED: Final = ROOT / "triton_models" / "repository"
_DIGEST: Final = ROOT / "services/trainer/src/meltwatch_trainer/release/digest.py"
_SWAPPED: Final = ("fmformer_member_a", "fmformer_member_b")


def digest_of(repository: Path) -> str:
    """The digest over the files of the steps, by the function with which they are released."""
    steps = [path for path in repository.iterdir() if path.name != ENSEMBLE]
    files = {
        path.relative_to(repository).as_posix(): path.read_bytes()
        for step in steps
        for path in step.rglob("*")
        if path.is_file()
    }
    return _files_digest()(files)


def with_members_swapped(folder: Path) -> str:
    """Make a repository in which two members have changed places; return its digest.

    Each of both is calibrated as the other one was, so it answers otherwise. It is a real
    ensemble, and a bad one: which is better is not the question of whoever serves it.
    """
    shutil.copytree(SHIPPED, folder)
    for name, other in (_SWAPPED, _SWAPPED[::-1]):
        shutil.copyfile(SHIPPED / name / "1/model.onnx", folder / other / "1/model.onnx")
    digest = digest_of(folder)
    page = folder / ENSEMBLE / "config.pbtxt"
    said = page.read_text()
    page.write_text(said.replace(digest_of(SHIPPED), digest))
    assert digest in page.read_text()
    return digest


def _files_digest() -> Callable[[Mapping[str, bytes]], str]:
    """Take the trainer's own function, without its package: that one needs PyTorch."""
    spec = importlib.util.spec_from_file_location("trainer_digest", _DIGEST)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    function: Callable[[Mapping[str, bytes]], str] = module.files_digest
    return function
