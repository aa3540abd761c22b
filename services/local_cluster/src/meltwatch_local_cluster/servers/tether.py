"""Run a program that ends with its launcher, and all that it started with it.

Usage: ``python -I -S tether.py LAUNCHER_PID PROGRAM [ARGUMENT...]``. The launcher runs this file by
its path, without site packages, so that the detour costs milliseconds. Setting the death signal in
a program of its own, not between fork and exec, is safe beside the launcher's threads.

The kernel's death signal reaches the program alone. What the program has started is ended by a
guard: a process of its own session that waits for the launcher's death, however it comes.
"""

import ctypes
import os
import select
import signal
import sys

_PR_SET_PDEATHSIG = 1
_LOOK_MS = 100
_GUARD = "guard"


def main(arguments: list[str]) -> None:
    """Tie this process to the launcher, then become the program.

    Parameters
    ----------
    arguments
        The launcher's process id, the program, its arguments.
    """
    launcher, *program = arguments
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    watched = _handle(int(launcher))
    if os.getppid() != int(launcher):
        sys.exit("tether: the launcher died before its program started")
    if watched is not None:
        _leave_guard(watched)
    os.execvp(program[0], program)  # noqa: S606 - becoming the program is the purpose; no shell


def _handle(process: int) -> int | None:
    """Return a handle of a process that tells its death; None where the sandbox has none."""
    try:
        return os.pidfd_open(process)
    except OSError:
        return None


def _leave_guard(launcher: int) -> None:
    """Start a guard of this process's group that is not a child of the later program."""
    group = os.getpid()
    program = os.pidfd_open(group)
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    silence = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(silence, stream)
    for watched in (launcher, program):
        os.set_inheritable(watched, True)
    # A program of its own, with neither the command line nor the environment of the other.
    guard = [sys.executable, "-I", "-S", __file__, _GUARD, *map(str, (launcher, program, group))]
    os.execve(guard[0], guard, {})  # noqa: S606 - as above


def _guard(launcher: int, program: int, group: int) -> None:
    """Wait for the launcher's death, then kill the group; leave when the group is gone."""
    deaths = select.poll()
    for watched in (launcher, program):
        deaths.register(watched, select.POLLIN)
    try:
        ended = dict(deaths.poll())
        deaths.unregister(program)
        while launcher not in ended:
            os.killpg(group, 0)
            ended = dict(deaths.poll(_LOOK_MS))
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


if __name__ == "__main__":
    if sys.argv[1] == _GUARD:
        _guard(*map(int, sys.argv[2:]))
    else:
        main(sys.argv[1:])
