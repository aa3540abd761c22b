"""Meters that are asked by Modbus over TCP, or by RTU frames over TCP."""

import asyncio
import math
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final

from meltwatch_chassis.clock import Clock
from meltwatch_schemas.window import NS_PER_S, Grid
from pymodbus import FramerType
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ModbusPDU

from meltwatch_sources.credentials import redacted
from meltwatch_sources.domain.reading import MeterReading, Wiring, nothing
from meltwatch_sources.domain.registers import RegisterBlock
from meltwatch_sources.ports import SourceLost

ANSWER_S: Final = 0.4
"""Less than the distance of two samples, so that a slow answer costs one of them."""
BAD_ANSWERS: Final = 3
"""After so many in a row the meter is lost."""
_LATER_S: Final = 0.001
_RECONNECT_S: Final = 0.1
_LONGEST_RECONNECT_S: Final = 2.0
_EXCEPTIONS: Final = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "device failure",
    5: "acknowledge",
    6: "device busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target does not answer",
}


@dataclass(frozen=True, slots=True)
class ModbusPlace:
    """Where a meter answers.

    Attributes
    ----------
    host, port
        Of the meter or its gateway.
    unit
        Its number behind the gateway, 0 to 255.
    framer
        How requests and answers are framed: ``socket`` or ``rtu``.
    """

    host: str
    port: int
    unit: int = 1
    framer: str = "socket"


@dataclass(frozen=True, slots=True)
class Polls:
    """When a meter is asked.

    Attributes
    ----------
    grid
        The points for which a value is wanted.
    delay_ns
        How much later its value is to be had.
    """

    grid: Grid
    delay_ns: int = 0

    def due_ns(self, now_ns: int) -> int:
        """Return the next time to ask, ns."""
        return self.grid.first_after(now_ns - self.delay_ns) + self.delay_ns


class ModbusMeter:
    """Asks for all three phases in one request: they must be of one instant.

    Parameters
    ----------
    place
        Where it answers.
    registers
        Where its values stand.
    wiring
        What they mean.
    polls
        When it is asked.
    clock
        Of the host.
    """

    def __init__(
        self,
        place: ModbusPlace,
        registers: RegisterBlock,
        wiring: Wiring,
        polls: Polls,
        clock: Clock,
    ) -> None:
        self._place = place
        self._registers = registers
        self._wiring = wiring
        self._polls = polls
        self._clock = clock
        self._client = AsyncModbusTcpClient(
            place.host,
            port=place.port,
            framer=FramerType(place.framer),
            timeout=ANSWER_S,
            retries=0,
            reconnect_delay=_RECONNECT_S,
            reconnect_delay_max=_LONGEST_RECONNECT_S,
        )

    async def readings(self, stop: asyncio.Event) -> AsyncGenerator[MeterReading, None]:
        """Give a reading for each grid point that is answered, of NaN where there is no value.

        Raises
        ------
        SourceLost
            If it cannot be reached, or answers three times in a row with nothing of use.
        """
        try:
            if not await self._client.connect():
                raise SourceLost(f"expected a Modbus server, none answered within {ANSWER_S} s")
            bad = 0
            while not stop.is_set():
                await self._until_due()
                asked_ns = self._clock.now_ns()
                try:
                    yield await self._reading(asked_ns)
                    bad = 0
                except (ModbusException, OSError) as error:
                    bad += 1
                    if bad == BAD_ANSWERS:
                        why = redacted(str(error))
                        raise SourceLost(f"expected an answer of the meter, got {why}") from None
                    await self._connect_anew()
        finally:
            self._client.close()

    async def _connect_anew(self) -> None:
        """Leave a late answer behind: it would pass as the next one.

        By RTU it has no number, and servers mix them up. If this fails, the next request says so.
        """
        self._client.close()
        await self._client.connect()

    async def _until_due(self) -> None:
        now_ns = self._clock.now_ns()
        left_ns = self._polls.due_ns(now_ns) - now_ns
        # A moment too early would be of the point before.
        await asyncio.sleep(left_ns / NS_PER_S + _LATER_S)

    async def _reading(self, asked_ns: int) -> MeterReading:
        answer = await self._ask()
        if answer.isError():
            code = int(answer.exception_code)
            meaning = _EXCEPTIONS.get(code, "not known")
            return self._nothing(asked_ns, f"Modbus exception {code}, {meaning}")
        words = list(answer.registers)
        if len(words) != self._registers.count:
            raise ModbusException(
                f"{self._registers.count} registers were asked, {len(words)} came"
            )
        numbers = self._registers.numbers(words)
        values = self._wiring.amperes(numbers)
        quality = "" if all(map(math.isfinite, values)) else f"no amperes: {numbers}"
        return MeterReading(values, None, asked_ns, self._clock.now_ns(), quality)

    async def _ask(self) -> ModbusPDU:
        read = (
            self._client.read_input_registers
            if self._registers.is_input
            else self._client.read_holding_registers
        )
        return await read(
            self._registers.first, count=self._registers.count, device_id=self._place.unit
        )

    def _nothing(self, asked_ns: int, quality: str) -> MeterReading:
        return MeterReading(nothing(), None, asked_ns, self._clock.now_ns(), quality)


async def read_words(place: ModbusPlace, block: RegisterBlock, times: int) -> list[list[int]]:
    """Return a block of registers some times, each with one before it and one behind.

    Nothing comes of a meter that does not show those beside, or does not answer.
    """
    client = AsyncModbusTcpClient(
        place.host,
        port=place.port,
        framer=FramerType(place.framer),
        timeout=ANSWER_S,
        retries=0,
        reconnect_delay=0,
    )
    read = client.read_input_registers if block.is_input else client.read_holding_registers
    found: list[list[int]] = []
    try:
        if block.first and await client.connect():
            for _ in range(times):
                answer = await read(block.first - 1, count=block.count + 2, device_id=place.unit)
                if not answer.isError() and len(answer.registers) == block.count + 2:
                    found.append(list(answer.registers))
    except (ModbusException, OSError):
        return found
    finally:
        client.close()
    return found
