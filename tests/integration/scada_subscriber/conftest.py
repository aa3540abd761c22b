"""The ``meltwatch`` command beside the subscriber."""

from tests.integration.cli.conftest import command

__all__ = ["command"]
