"""From process start to exit code: settings, logging, signals, one line per failure."""

import _thread
import asyncio
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import TypeVar

import structlog
from threadpoolctl import threadpool_limits

from meltwatch_chassis import logging
from meltwatch_chassis.errors import FatalError
from meltwatch_chassis.settings import ServiceSettings, describe, load
from meltwatch_chassis.terminal import print_failure

AnySettings = TypeVar("AnySettings", bound=ServiceSettings)
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def run_async(
    service: str,
    settings_class: type[AnySettings],
    main: Callable[[AnySettings, asyncio.Event], Awaitable[None]],
    stop_limit_s: Callable[[AnySettings], float],
) -> int:
    """Run an asyncio service until it ends or a signal sets its stop event.

    Parameters
    ----------
    service
        Name in logs and errors.
    settings_class
        What it can be told by environment.
    main
        The service; it returns after a clean stop.
    stop_limit_s
        After this the process ends without one: clients wait for minutes for a server that is
        away, and a supervisor would kill us anyway.

    Returns
    -------
    The exit code: 0 done, 2 configuration, 3 dependency unreachable, 1 any other fatal error.
    """

    async def until_stopped(settings: AnySettings) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def told_to_stop() -> None:
            if not stop.is_set():
                _leave_after(stop_limit_s(settings))
            stop.set()

        for number in _STOP_SIGNALS:
            loop.add_signal_handler(number, told_to_stop)
        await main(settings, stop)

    return _run(service, settings_class, lambda settings: asyncio.run(until_stopped(settings)))


def run_sync(
    service: str,
    settings_class: type[AnySettings],
    main: Callable[[AnySettings, threading.Event], None],
    stop_limit_s: Callable[[AnySettings], float],
) -> int:
    """Run a threaded service until it ends or a signal sets its stop event.

    Parameters and return value are those of ``run_async``.
    """

    def until_stopped(settings: AnySettings) -> None:
        stop = threading.Event()

        def end() -> None:
            if not stop.is_set():
                _leave_after(stop_limit_s(settings))
            stop.set()

        def told_to_stop(*_: object) -> None:
            # In a thread: this one may be interrupted with the event's own lock in its hand, and
            # would wait for itself. threading.Thread takes locks as well.
            _thread.start_new_thread(end, ())

        for number in _STOP_SIGNALS:
            signal.signal(number, told_to_stop)
        main(settings, stop)

    return _run(service, settings_class, until_stopped)


def _leave_after(limit_s: float) -> None:
    def leave() -> None:
        structlog.get_logger().warning("stop_cut_short", limit_s=limit_s)
        os._exit(0)

    timer = threading.Timer(limit_s, leave)
    timer.daemon = True
    timer.start()


def _run(
    service: str, settings_class: type[AnySettings], main: Callable[[AnySettings], None]
) -> int:
    if {"-h", "--help"} & set(sys.argv[1:]):
        sys.stdout.write(
            f"{service}: settings, each an environment variable\n{describe(settings_class)}\n"
        )
        return 0
    if "--version" in sys.argv[1:]:
        sys.stdout.write(f"{service} {version('meltwatch-chassis')}\n")
        return 0
    try:
        settings = load(settings_class, os.environ)
        logging.configure(service, settings.log_level, settings.log_format)
        # Our matrices are small: OpenBLAS' threads would spin 66 ms of CPU for a product of 0.3 ms.
        threadpool_limits(1)
        structlog.get_logger().info("service_started", pid=os.getpid())
        main(settings)
    except FatalError as error:
        print_failure(service, str(error))
        return error.exit_code
    structlog.get_logger().info("service_stopped")
    return 0
