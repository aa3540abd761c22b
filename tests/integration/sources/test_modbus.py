"""The Modbus adapter against pymodbus' own server, with the faults of meters and gateways."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager

import numpy as np
import pytest
from meltwatch_chassis.clock import SystemClock
from meltwatch_schemas.window import NS_PER_S, Grid
from meltwatch_sources.adapters.modbus import ModbusMeter, ModbusPlace, Polls
from meltwatch_sources.domain.reading import MeterReading, Wiring
from meltwatch_sources.domain.registers import ByteOrder, RegisterBlock, RegisterType
from meltwatch_sources.ports import SourceLost

from tests.support.meter_process import MeterProcess
from tests.support.modbus_meter import FIRST, PHASES, UNIT

pytestmark = pytest.mark.integration
GRID = Grid(123_456_789, NS_PER_S // 2)
BLOCK = RegisterBlock(FIRST)


@pytest.fixture(scope="module")
def process() -> Iterator[MeterProcess]:
    with MeterProcess("modbus_meter", "socket") as started:
        yield started


@pytest.fixture
def server(process: MeterProcess) -> MeterProcess:
    """One that has answered nothing yet."""
    if not process.runs:
        process.start()
    process.tell("new")
    return process


@asynccontextmanager
async def reading(
    server: MeterProcess, framer: str = "socket", block: RegisterBlock = BLOCK, **wiring: object
) -> AsyncIterator[AsyncIterator[MeterReading]]:
    place = ModbusPlace("127.0.0.1", server.port, UNIT, framer)
    meter = ModbusMeter(place, block, Wiring(**wiring), Polls(GRID), SystemClock())
    async with aclosing(meter.readings(asyncio.Event())) as readings:
        yield readings


async def value(readings: AsyncIterator[MeterReading]) -> MeterReading:
    """The next reading with a value: on a busy machine the meter may be late for a point."""
    while not (read := await anext(readings)).has_value:
        pass
    return read


def number_of(read: MeterReading) -> float:
    """Which request it answers; all three phases are of one."""
    numbers = read.values - np.array(PHASES, np.float32)
    assert (numbers == numbers[0]).all(), read
    return float(numbers[0])


async def test_each_point_of_the_grid_is_asked_for_once_and_all_phases_in_one_request(server):
    async with reading(server) as readings:
        read = [await value(readings) for _ in range(4)]

    numbers = [number_of(each) for each in read]
    assert numbers == sorted(set(numbers))
    points = [GRID.first_after(each.asked_ns) for each in read]
    assert len(set(points)) == 4
    for each in read:
        assert each.source_ns is None
        assert each.asked_ns < each.answered_ns


@pytest.mark.parametrize("order", list(ByteOrder))
async def test_numbers_are_right_in_each_order_of_bytes(server, order):
    block = RegisterBlock(FIRST, RegisterType.FLOAT32, order)
    server.tell(f"order {order.value}")
    async with reading(server, block=block, scale=2.0, phases=(0, 2, 1)) as readings:
        read = await value(readings)

    number = read.values[0] / 2 - 5000.0
    assert read.values.tolist() == [2 * (phase + number) for phase in (5000.0, 7000.0, 6000.0)]
    assert number in range(1, 10)


async def test_rtu_frames_over_tcp_are_read_alike():
    with MeterProcess("modbus_meter", "rtu") as server:
        # Answers have no number here: one that comes late must not pass as the next.
        server.tell("slow 0.6 2")
        async with reading(server, framer="rtu") as readings:
            read = [number_of(await value(readings)) for _ in range(2)]

    assert read == sorted(set(read) - {2.0})


async def test_registers_beside_the_right_ones_are_no_amperes(server):
    async with reading(server, block=RegisterBlock(FIRST + 1)) as readings:
        read = await anext(readings)

    assert not ((read.values > 100) & (read.values < 100_000)).any()


@pytest.mark.parametrize(
    ("fault", "said"),
    [("exception 2", "Modbus exception 2, illegal data address"),
     ("exception 6", "Modbus exception 6, device busy")],
)  # fmt: skip
async def test_an_exception_is_nothing_and_no_reason_to_hang_up(server, fault, said):
    server.tell(fault)
    async with reading(server) as readings:
        for _ in range(5):
            read = await anext(readings)
            assert np.isnan(read.values).all()
            assert read.quality == said
        server.tell("good")
        while np.isnan((read := await anext(readings)).values).all():
            assert read.quality == said
        assert number_of(read) > 5


@pytest.mark.parametrize("fault", ["slow 0.6", "stale", "short", "garbage"])
async def test_three_answers_of_no_use_in_a_row_are_a_loss_and_none_of_them_is_a_value(
    server, fault
):
    server.tell(fault)
    async with reading(server) as readings:
        with pytest.raises(SourceLost, match="expected an answer of the meter"):
            await anext(readings)


async def test_one_late_answer_costs_its_own_point_and_no_other(server):
    server.tell("slow 0.6 2")
    async with reading(server) as readings:
        read = [number_of(await value(readings)) for _ in range(2)]

    assert read == sorted(set(read) - {2.0}), "not the one that comes now, instead of the next"


async def test_a_meter_that_restarts_is_read_again_by_a_new_connection(server):
    async with reading(server) as readings:
        await anext(readings)
        server.kill()
        with pytest.raises(SourceLost):
            await anext(readings)
        server.start()
    async with reading(server) as readings:
        assert number_of(await anext(readings)) == 1


async def test_nobody_there_is_a_loss(server):
    server.kill()
    async with reading(server) as readings:
        with pytest.raises(SourceLost, match="expected a Modbus server"):
            await anext(readings)


async def test_a_frozen_meter_is_a_loss_and_stops_nobody(server):
    async with reading(server) as readings:
        await anext(readings)
        server.freeze()
        with pytest.raises(SourceLost):
            await anext(readings)
        server.thaw()
