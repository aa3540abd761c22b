"""The page's scripts are as their comments say: TypeScript checks them, and builds nothing."""

import shutil
import subprocess

import pytest

from tests.support.source import ROOT

pytestmark = pytest.mark.programs

FOLDER = ROOT / "tests/foreign/tsc"
COMPILER = FOLDER / "node_modules/typescript/bin/tsc"


def test_the_types_of_the_page_are_sound():
    node = shutil.which("node")
    if node is None or not COMPILER.is_file():
        pytest.skip("needs TypeScript: run `npm ci` in tests/foreign/tsc (CI does)")
    told = [node, COMPILER, "-p", FOLDER]
    done = subprocess.run(told, check=False, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("", 0)
