"""The OPC UA adapter against asyncua's server: a login, encryption, and the faults of PLCs."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from meltwatch_chassis.clock import SystemClock
from meltwatch_schemas.window import NS_PER_S
from meltwatch_sources.adapters.opcua import OpcUaMeter, OpcUaPlace, OpcUaSecurity, node_id
from meltwatch_sources.credentials import Credentials
from meltwatch_sources.domain.reading import MeterReading, Wiring
from meltwatch_sources.domain.supervision import Loss
from meltwatch_sources.ports import SourceLost

from tests.support.meter_process import MeterProcess
from tests.support.opcua_meter import NAMES, PHASES, TEXT, URI, USER
from tests.support.secured import Authority

pytestmark = pytest.mark.integration
PASSWORD = "p@s:/?#%é"  # noqa: S105 - of a server that lives for a test
NODES = tuple(f"nsu={URI};s={name}" for name in NAMES)


@pytest.fixture(scope="module")
def plc_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("plc")


@pytest.fixture(scope="module")
def process(plc_folder: Path) -> Iterator[MeterProcess]:
    with MeterProcess("opcua_meter", str(plc_folder), PASSWORD, "1") as started:
        yield started


@pytest.fixture
def server(process: MeterProcess) -> MeterProcess:
    if not process.runs:
        process.start()
    process.tell("good")
    return process


@pytest.fixture(scope="module")
def login(tmp_path_factory: pytest.TempPathFactory, plc_folder: Path) -> Credentials:
    """A user and certificates, as a mounted Secret holds them: the server's own is trusted."""
    folder = tmp_path_factory.mktemp("client")
    made, certificate, key = folder / "cert.der", folder / "cert.pem", folder / "key.pem"
    asyncio.run(
        setup_self_signed_certificate(
            key, made, "urn:tests:meltwatch", "localhost", [],
            {"countryName": "CN", "commonName": "meltwatch"},
        )
    )  # fmt: skip
    as_pem = x509.load_der_x509_certificate(made.read_bytes()).public_bytes(Encoding.PEM)
    certificate.write_bytes(as_pem)
    return Credentials(USER, PASSWORD, certificate, key, plc_folder / "cert.der")


@asynccontextmanager
async def reading(
    server: MeterProcess,
    login: Credentials | None,
    security: OpcUaSecurity = OpcUaSecurity.NONE,
    nodes: tuple[str, ...] = NODES,
) -> AsyncIterator[AsyncIterator[MeterReading]]:
    place = OpcUaPlace(f"opc.tcp://127.0.0.1:{server.port}", nodes, security, login)
    meter = OpcUaMeter(place, Wiring(2.0, (0, 2, 1)), SystemClock())
    async with aclosing(meter.readings(asyncio.Event())) as readings:
        yield readings


async def values(readings: AsyncIterator[MeterReading], count: int) -> list[MeterReading]:
    """The next readings that tell of a phase."""
    found: list[MeterReading] = []
    while len(found) < count:
        if (read := await anext(readings)).phases:
            found.append(read)
    return found


async def end_of(readings: AsyncIterator[MeterReading]) -> None:
    """Read on until the source is lost."""
    with suppress(SourceLost):
        async with asyncio.timeout(120):
            async for _ in readings:
                pass


@pytest.mark.parametrize("security", list(OpcUaSecurity))
async def test_each_phase_tells_its_values_with_their_own_time(server, login, security):
    async with reading(server, login, security) as readings:
        read = await values(readings, 30)

    assert {each.phases for each in read} == {(0,), (1,), (2,)}
    for number, phase in enumerate((0, 2, 1)):
        told = [each for each in read if each.phases == (phase,)]
        shown = [float(each.values[phase]) / 2 - PHASES[number] for each in told]
        assert shown == sorted(set(shown)), "new ones, in order"
        assert all(0 <= each < 100_000 for each in shown)
        for each in told:
            assert np.isfinite(each.values).sum() == 1
            assert each.source_ns is not None
            assert abs(each.source_ns - each.answered_ns) < 60 * NS_PER_S


async def test_a_queue_keeps_what_comes_between_two_publications(server, login):
    """Four samples a second and phase: half of them were lost with a queue of one."""
    async with reading(server, login) as readings:
        read = await values(readings, 60)

    times = sorted(each.source_ns for each in read if each.phases == (0,))
    gaps_s = np.diff(times) / NS_PER_S
    assert np.median(gaps_s) < 0.4


async def test_a_steady_value_is_told_again_and_a_dead_one_is_not(server, login):
    server.tell("steady")
    async with reading(server, login) as readings:
        read = await values(readings, 24)
        assert len({float(each.values[0]) for each in read if each.phases == (0,)}) <= 2
        server.tell("still")
        begin = time.monotonic()
        # The rest of the queue may still come; then the server proves alive, and that is all.
        proofs = 0
        while proofs < 4:
            proofs += not (await anext(readings)).phases
        last = [await anext(readings) for _ in range(3)]
        assert time.monotonic() - begin > 1
    assert all(each.phases == () for each in last)


async def test_a_bad_status_is_nothing_for_its_phase_alone(server, login):
    server.tell("bad")
    async with reading(server, login) as readings:
        read = await values(readings, 24)

    bad = [each for each in read if each.phases == (2,)]
    assert np.isnan([each.values[2] for each in bad[-3:]]).all()
    assert bad[-1].quality == "status BadSensorFailure"
    assert all(each.has_value for each in read if each.phases != (2,))


@pytest.mark.parametrize(
    ("command", "seconds"), [("clock 3600", 3600.0), ("clock -0.7", -0.7), ("no_time", None)]
)
async def test_the_time_of_the_source_is_passed_on_as_it_is(server, login, command, seconds):
    server.tell(command)
    async with reading(server, login) as readings:
        read = (await values(readings, 24))[-1]

    assert read.has_value
    if seconds is None:
        assert read.source_ns is None or abs(read.source_ns - read.answered_ns) < 60 * NS_PER_S
    else:
        assert read.source_ns is not None
        off_s = (read.source_ns - read.answered_ns) / NS_PER_S
        assert off_s == pytest.approx(seconds, abs=20)


async def test_text_is_no_value(server, login):
    async with reading(server, login, nodes=(f"nsu={URI};s={TEXT}", *NODES[1:])) as readings:
        read = [each for each in await values(readings, 3) if each.phases == (0,)]

    assert [each.quality for each in read] == ["no number: str"]
    assert not read[0].has_value


async def test_a_restart_with_another_index_of_the_namespace_is_no_matter_to_a_new_client(
    process, server, login
):
    async with reading(server, login) as readings:
        await values(readings, 3)
        folder, password, _ = process.arguments
        process.restart(folder, password, "5")
        await end_of(readings)
    async with reading(server, login) as readings:
        assert all(each.has_value for each in await values(readings, 3))


async def test_a_frozen_server_is_a_loss_within_seconds(server, login):
    async with reading(server, login) as readings:
        await values(readings, 3)
        server.freeze()
        try:
            await end_of(readings)
        finally:
            server.thaw()


async def test_a_refused_login_is_said_without_it_and_waits(server, login):
    wrong = Credentials(USER, "n@t:/?#%é", login.certificate, login.private_key)
    async with reading(server, wrong) as readings:
        with pytest.raises(SourceLost) as raised:
            await anext(readings)

    assert raised.value.loss is Loss.REFUSED
    assert "n@t" not in raised.value.why
    assert "refused the login" in raised.value.why


async def test_what_is_not_there_is_named(server, login):
    strange = (f"nsu={URI};s=F4.IX", *NODES[1:])
    async with reading(server, login, nodes=strange) as readings:
        with pytest.raises(SourceLost, match=r"F4.IX, the server says BadNode"):
            await anext(readings)
    foreign = tuple(node.replace(URI, "urn:nobody") for node in NODES)
    async with reading(server, login, nodes=foreign) as readings:
        with pytest.raises(SourceLost, match="expected namespace urn:nobody"):
            await anext(readings)


async def test_security_without_a_certificate_says_where_one_is_expected(server):
    naked = Credentials(USER, PASSWORD)
    async with reading(server, naked, OpcUaSecurity.SIGN) as readings:
        with pytest.raises(SourceLost, match=r"expected cert.pem, key.pem and ca.pem"):
            await anext(readings)


@pytest.mark.parametrize("security", [OpcUaSecurity.SIGN, OpcUaSecurity.SIGN_AND_ENCRYPT])
async def test_a_server_that_does_not_prove_who_it_is_gets_no_login(
    server, login, security, tmp_path
):
    another = Authority(tmp_path).file
    untrusting = replace(login, authority=another, password="no")  # noqa: S106 - wrong
    async with reading(server, untrusting, security) as readings:
        with pytest.raises(SourceLost, match="BadCertificateUntrusted") as raised:
            await anext(readings)
    assert str(another) in raised.value.why


@pytest.mark.parametrize("file", [b"", b"junk", b"-----BEGIN CERTIFICATE-----\nAA"])
async def test_a_file_that_is_no_certificate_is_named(server, login, tmp_path, file):
    (tmp_path / "ca.pem").write_bytes(file)
    broken = replace(login, authority=tmp_path / "ca.pem")
    async with reading(server, broken, OpcUaSecurity.SIGN) as readings:
        with pytest.raises(SourceLost, match=r"ca.pem: expected a certificate"):
            await anext(readings)


async def test_nobody_there_is_a_loss(process, server, login):
    process.kill()
    async with reading(server, login) as readings:
        with pytest.raises(SourceLost, match="expected an OPC UA session"):
            await anext(readings)


def test_a_node_is_found_by_the_name_of_its_namespace():
    names = ["http://opcfoundation.org/UA/", "urn:a", URI]
    assert node_id(f"nsu={URI};i=7", names).NamespaceIndex == 2
    with pytest.raises(SourceLost):
        node_id("nsu=urn:b;i=7", names)
