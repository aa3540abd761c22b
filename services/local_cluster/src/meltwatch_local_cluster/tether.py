"""Run a program that the kernel kills when its launcher dies.

Usage: ``python -I -S tether.py LAUNCHER_PID PROGRAM [ARGUMENT...]``. The launcher runs this file by
its path, without site packages, so that the detour costs milliseconds. Setting the death signal in
a program of its own, not between fork and exec, is safe beside the launcher's threads.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Tie this process to the launcher, then become the program.

    Parameters
    ----------
    arguments
        The launcher's process id, the program, its arguments.
    """
    launcher, *program = arguments
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(launcher):
        sys.exit("tether: the launcher died before its program started")
    os.execvp(program[0], program)  # noqa: S606 - becoming the program is the purpose; no shell


if __name__ == "__main__":
    main(sys.argv[1:])
