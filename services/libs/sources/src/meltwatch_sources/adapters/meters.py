"""The adapter of a meter, by what the plant file says of it."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final

from meltwatch_chassis.clock import Clock
from meltwatch_schemas.window import NS_PER_S, Grid

from meltwatch_sources.adapters.modbus import ModbusMeter, ModbusPlace, Polls, read_words
from meltwatch_sources.adapters.mqtt import MqttMeter, MqttPlace
from meltwatch_sources.adapters.opcua import OpcUaMeter, OpcUaPlace, OpcUaSecurity
from meltwatch_sources.adapters.opcua_browse import CurrentNode, browse_currents
from meltwatch_sources.credentials import CredentialStore
from meltwatch_sources.domain.finding import SourceFinding
from meltwatch_sources.domain.json_currents import JsonCurrents
from meltwatch_sources.domain.messages import MessageReader
from meltwatch_sources.domain.meter_check import (
    USUAL_A,
    ExpectedCurrents,
    clock_finding,
    judged_readings,
    judged_registers,
)
from meltwatch_sources.domain.reading import MeterReading, Wiring
from meltwatch_sources.domain.registers import ByteOrder, RegisterBlock, RegisterType
from meltwatch_sources.domain.sample_grid import PolledGrid, PushedGrid, SampleGrid
from meltwatch_sources.domain.source_time import SourceTime
from meltwatch_sources.domain.sparkplug_currents import SparkplugCurrents
from meltwatch_sources.plant import CurrentSource
from meltwatch_sources.ports import Meter

_PHASES: Final = "abc"
_TIMES: Final = 4


def open_meter(source: CurrentSource, grid: Grid, store: CredentialStore, clock: Clock) -> Meter:
    """Return a meter that was not used yet; its login is read here.

    Parameters
    ----------
    source
        What the plant file says.
    grid
        The points for which samples are wanted.
    store
        Where logins are.
    clock
        Of the host.

    Raises
    ------
    SourceLost
        If its login cannot be read.
    """
    wiring, modbus = wiring_of(source), _modbus_of(source)
    if modbus is not None:
        return ModbusMeter(*modbus, wiring, Polls(grid, _delay_ns(source)), clock)
    login = None if source.credentials is None else store.read(source.credentials)
    if (reader := _reader_of(source, wiring)) is not None:
        return MqttMeter(MqttPlace(source.where, login), reader, clock)
    server = OpcUaPlace(source.address, source.nodes or (), OpcUaSecurity(source.security), login)
    return OpcUaMeter(server, wiring, clock)


def samples_of(source: CurrentSource, grid: Grid) -> SampleGrid:
    """Return what makes samples from the readings of a meter."""
    if source.registers is not None:
        return PolledGrid(grid, _delay_ns(source))
    time = SourceTime(source.clock == "source", _delay_ns(source))
    return PushedGrid(time, int(source.hold_s * NS_PER_S))


@dataclass(frozen=True, slots=True)
class WatchedMeter:
    """What was seen of a meter.

    Attributes
    ----------
    samples
        At the points of two a second.
    findings
        What is wrong, and what could not be checked.
    """

    samples: tuple[MeterReading, ...]
    findings: tuple[SourceFinding, ...]


async def watch_meter(
    source: CurrentSource,
    store: CredentialStore,
    clock: Clock,
    seconds: float,
    lifted: str | None = None,
) -> WatchedMeter:
    """Watch a meter for some seconds.

    Parameters
    ----------
    source
        What the plant file says.
    store
        Where logins are.
    clock
        Of the host.
    seconds
        For how long.
    lifted
        Which electrode is lifted meanwhile.

    Raises
    ------
    SourceLost
        If it cannot be read; nothing is known of it then.
    """
    grid = Grid(0, NS_PER_S // 2)
    samples = samples_of(source, grid)
    findings: list[SourceFinding] = []
    expected = ExpectedCurrents(wiring_of(source), source.expected_a or USUAL_A)
    if (modbus := _modbus_of(source)) is not None:
        wide = await read_words(*modbus, _TIMES)
        findings += filter(None, [judged_registers(wide, modbus[1], expected)])
    begin_ns = clock.now_ns()
    end_ns = begin_ns + int(seconds * NS_PER_S)
    meter, why = open_meter(source, grid, store, clock), ""
    async with aclosing(meter.readings(asyncio.Event())) as readings:
        async for reading in readings:
            samples.take(reading)
            why = reading.quality or why
            if reading.answered_ns >= end_ns:
                break
    points = grid.between(begin_ns, end_ns - samples.settle_ns())
    seen = [MeterReading(samples.sample(point), None, point, point) for point in points]
    findings += judged_readings(seen, expected, why, lifted)
    if samples.time is not None and samples.time.disagrees:
        findings.append(clock_finding(samples.time.offset_ns or 0))
    return WatchedMeter(tuple(seen), tuple(findings))


async def shown_in_all_orders(source: CurrentSource) -> dict[str, list[float]]:
    """Return what the registers of a Modbus meter read as, by order of bytes.

    Nothing comes of a meter that does not answer, or is none.
    """
    modbus = _modbus_of(source)
    if modbus is None:
        return {}
    place, block = modbus
    words = await read_words(place, block, 1)
    if not words:
        return {}
    return {order.value: replace(block, order=order).numbers(words[0][1:-1]) for order in ByteOrder}


async def currents_of(
    source: CurrentSource, store: CredentialStore
) -> tuple[list[CurrentNode], bool]:
    """Return what may be currents on an OPC UA server; see ``browse_currents``."""
    login = None if source.credentials is None else store.read(source.credentials)
    return await browse_currents(
        OpcUaPlace(source.address, (), OpcUaSecurity(source.security), login)
    )


def wiring_of(source: CurrentSource) -> Wiring:
    """Return what the values of a meter mean."""
    first, second, third = (_PHASES.index(phase) for phase in source.phases)
    return Wiring(source.scale, (first, second, third))


def _modbus_of(source: CurrentSource) -> tuple[ModbusPlace, RegisterBlock] | None:
    """Return where a Modbus meter answers and keeps its values; None of another one."""
    if source.registers is None:
        return None
    where = source.where
    return (
        ModbusPlace(where.host.strip("[]"), where.port, source.unit, source.framer),
        RegisterBlock(
            source.registers.first,
            RegisterType(source.registers.type),
            ByteOrder(source.registers.order),
            source.registers.kind == "input",
        ),
    )


def _reader_of(source: CurrentSource, wiring: Wiring) -> MessageReader | None:
    """Return what reads the messages of a publisher; None of a source without a broker."""
    if source.messages is not None:
        return JsonCurrents(source.messages.places, wiring)
    if source.sparkplug is not None:
        return SparkplugCurrents(source.sparkplug.places, wiring)
    return None


def _delay_ns(source: CurrentSource) -> int:
    return int(source.meter_delay_s * NS_PER_S)
