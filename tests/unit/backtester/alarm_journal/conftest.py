"""Runs the ``meltwatch`` command in this process."""

from tests.integration.conftest import command

__all__ = ["command"]
