"""A Modbus meter as a process: pymodbus' own server with computed registers, and faults on demand.

It reads one command a line: ``good``, ``new`` (good, and counts from 1 again), ``order cdab``,
``exception N``, ``slow SECONDS [REQUEST]``, ``stale`` (answers carry the number of
the request before), ``short`` (a register is missing) or ``garbage``. With the ``n``-th request
the phases show 5000 + n, 6000 + n and 7000 + n; after ``show A B C`` they show these amperes.
"""

import asyncio
import struct
import sys
from typing import Any

from pymodbus import FramerType
from pymodbus.constants import ExcCodes
from pymodbus.pdu import ModbusPDU
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

FIRST = 3000
UNIT = 7
PHASES = (5000.0, 6000.0, 7000.0)


class Meter:
    """What the meter is told to do."""

    def __init__(self) -> None:
        self.order = "abcd"
        self.fault = ["good"]
        self.requests = 0
        self.shown: list[float] = []

    def obey(self, command: list[str]) -> None:
        """Do what a command says from now on."""
        if command[0] == "order":
            self.order = command[1]
        elif command[0] == "new":
            self.fault, self.requests, self.order = ["good"], 0, "abcd"
            self.shown = []
        elif command[0] == "show":
            self.shown = list(map(float, command[1:]))
        else:
            self.fault = command

    async def answer(
        self, _function: int, start: int, _address: int, _count: int, registers: Any, _values: Any
    ) -> ExcCodes | None:
        """Write the present values before a request is answered."""
        self.requests += 1
        now = self.requests
        if self.fault[0] == "slow" and str(now) in (self.fault[2:] or [str(now)]):
            await asyncio.sleep(float(self.fault[1]))
        if self.fault[0] == "exception":
            return ExcCodes(int(self.fault[1]))
        amperes = self.shown or [phase + now for phase in PHASES]
        words = [word for phase in amperes for word in self.words(phase)]
        registers[FIRST - start : FIRST - start + len(words)] = words
        return None

    def words(self, amperes: float) -> list[int]:
        """The registers of a number."""
        places = ["abcd".index(letter) for letter in self.order]
        raw = struct.pack(">f", amperes)
        sent = bytes(raw[place] for place in places)
        return [int.from_bytes(sent[at : at + 2], "big") for at in (0, 2)]

    def outgoing(self, sending: bool, pdu: ModbusPDU) -> ModbusPDU:
        """Spoil an answer."""
        if sending and self.fault[0] == "stale":
            pdu.transaction_id = pdu.transaction_id - 1 or 65_000
        if sending and self.fault[0] == "short":
            pdu.registers = pdu.registers[:-1]
        return pdu

    def packet(self, sending: bool, data: bytes) -> bytes:
        """Spoil the bytes of an answer."""
        return b"\x00\x01\x00\x00\x00\x03\x07\x5f\xff" if self.is_garbage(sending) else data

    def is_garbage(self, sending: bool) -> bool:
        """Whether this is to be no Modbus at all."""
        return sending and self.fault[0] == "garbage"


async def serve(port: int, framer: FramerType) -> None:
    """Serve until nobody commands any more."""
    meter = Meter()
    block = SimData(FIRST - 10, count=40, values=0, datatype=DataType.REGISTERS)
    server = ModbusTcpServer(
        SimDevice(UNIT, [block], action=meter.answer),
        framer=framer,
        address=("127.0.0.1", port),
        trace_pdu=meter.outgoing,
        trace_packet=meter.packet,
    )
    await server.serve_forever(background=True)
    print("ready", flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        meter.obey(line.split())
        print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), FramerType(sys.argv[2])))
