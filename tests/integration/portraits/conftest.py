"""The stream processor's fixtures."""

from tests.integration.stream_processor.conftest import works

__all__ = ["works"]
