"""``python -m meltwatch_scada_adapter``: the OPC UA server.

With ``--hash-password`` it prints what a users file holds of a password.
"""

import sys
from getpass import getpass
from typing import Final

from meltwatch_chassis.lifecycle import run_async

from meltwatch_scada_adapter.adapters.opcua.users import hash_of
from meltwatch_scada_adapter.bootstrap import main
from meltwatch_scada_adapter.settings import Settings

_STOP_LIMIT_S: Final = 5.0
"""Nothing is lost by it: the list is read anew at the next start."""

if __name__ == "__main__":
    if sys.argv[1:] == ["--hash-password"]:
        is_person = sys.stdin.isatty()
        print(hash_of(getpass("Password: ") if is_person else sys.stdin.readline().strip()))
        sys.exit(0)
    sys.exit(run_async("scada_adapter", Settings, main, lambda _: _STOP_LIMIT_S))
