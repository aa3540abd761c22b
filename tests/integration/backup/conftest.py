"""A furnace, a manager and a console to be saved, as in their own tests."""

from tests.integration.alarm_manager.conftest import broker, make_manager
from tests.integration.console.conftest import furnace, make_console

__all__ = ["broker", "furnace", "make_console", "make_manager"]
