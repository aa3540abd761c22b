"""Runs the ``meltwatch`` command in this process."""

import sys
from collections.abc import Callable

import pytest
from meltwatch_cli.__main__ import main


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Exit code, standard output and standard error of a command line."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["meltwatch", *arguments])
        code = main()
        said = capsys.readouterr()
        return code, said.out, said.err

    return run
