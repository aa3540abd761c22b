"""The adapter of a meter, by what the plant file says of it."""

from typing import Final

from meltwatch_chassis.clock import Clock
from meltwatch_schemas.window import NS_PER_S, Grid

from meltwatch_sources.adapters.modbus import ModbusMeter, ModbusPlace, Polls
from meltwatch_sources.adapters.opcua import OpcUaMeter, OpcUaPlace, OpcUaSecurity
from meltwatch_sources.credentials import CredentialStore
from meltwatch_sources.domain.reading import Wiring
from meltwatch_sources.domain.registers import ByteOrder, RegisterBlock, RegisterType
from meltwatch_sources.domain.sample_grid import PolledGrid, PushedGrid, SampleGrid
from meltwatch_sources.domain.source_time import SourceTime
from meltwatch_sources.plant import CurrentSource
from meltwatch_sources.ports import Meter

_PHASES: Final = "abc"


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
    wiring = Wiring(source.scale, wiring_of(source))
    if source.registers is not None:
        block = RegisterBlock(
            source.registers.first,
            RegisterType(source.registers.type),
            ByteOrder(source.registers.order),
            source.registers.kind == "input",
        )
        where = source.where
        place = ModbusPlace(where.host.strip("[]"), where.port, source.unit, source.framer)
        return ModbusMeter(place, block, wiring, Polls(grid, _delay_ns(source)), clock)
    login = None if source.credentials is None else store.read(source.credentials)
    server = OpcUaPlace(source.address, source.nodes or (), OpcUaSecurity(source.security), login)
    return OpcUaMeter(server, wiring, clock)


def samples_of(source: CurrentSource, grid: Grid) -> SampleGrid:
    """Return what makes samples from the readings of a meter."""
    if source.registers is not None:
        return PolledGrid(grid, _delay_ns(source))
    time = SourceTime(source.clock == "source", _delay_ns(source))
    return PushedGrid(time, int(source.hold_s * NS_PER_S))


def wiring_of(source: CurrentSource) -> tuple[int, int, int]:
    """Return for each value of a meter which phase it is."""
    first, second, third = (_PHASES.index(phase) for phase in source.phases)
    return first, second, third


def _delay_ns(source: CurrentSource) -> int:
    return int(source.meter_delay_s * NS_PER_S)
