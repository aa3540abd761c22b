from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from meltwatch_fmf_benchmark import Playback, open_recordings, play
from meltwatch_fmf_benchmark.playback import furnace_id
from meltwatch_producers.feeds import CameraFeed, MeterFeed
from meltwatch_schemas.encoder import default_encoder
from meltwatch_schemas.identifiers import check_furnace_id
from meltwatch_schemas.window import PUBLISHED_SPEC

from tests.support import fmf_files
from tests.support.builders import NOON_NS, identity

S = 1_000_000_000
MS = 1_000_000


@pytest.fixture(params=["first", "second"])
def furnace(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Playback]:
    write = getattr(fmf_files, f"write_{request.param}_layout")
    with open_recordings(write(tmp_path)) as recordings:
        yield play(recordings, NOON_NS - 1)[0]


def test_a_recording_begins_with_the_first_whole_second(furnace: Playback) -> None:
    times = np.array([-1, 0, 9_960, 10_959, 10_960]) * MS + NOON_NS

    assert furnace.begin_ns == NOON_NS
    assert furnace.has_frames(times).tolist() == [False, True, True, True, False]
    assert furnace.frames(times[1:3])[:, 0, 0, 2].tolist() == [0, 249]


def test_its_camera_streams_its_own_frames_and_nothing_around_them(furnace: Playback) -> None:
    encoder = default_encoder()
    feed = CameraFeed(identity(), furnace, encoder, PUBLISHED_SPEC, furnace.has_frames)
    chunks = feed.due(NOON_NS - 60 * S, NOON_NS + 60 * S)

    assert len(chunks) == pytest.approx(11 / 0.72, abs=1)
    assert [chunk.identity.seq for chunk in chunks] == list(range(len(chunks)))
    for chunk in chunks:
        number = min((chunk.last_event_ns - NOON_NS) // (40 * MS), 249)
        (picture,) = encoder.decode(chunk.data)
        assert (picture[..., 2] == number).all()
        assert (picture[..., 0] == np.arange(64)[None, :]).all()


def test_its_meter_streams_its_own_samples_and_nothing_around_them(furnace: Playback) -> None:
    feed = MeterFeed(identity(), furnace, PUBLISHED_SPEC, furnace.has_currents)
    chunks = feed.due(NOON_NS - 60 * S, NOON_NS + 60 * S)
    sent = np.concatenate([chunk.data for chunk in chunks])[:, 0] - 6000

    assert chunks[0].event_time_ns >= NOON_NS
    assert 18 <= len(sent) <= 22
    assert (np.diff(sent) >= 0).all()
    assert set(sent.tolist()) >= set(range(2, 19))


def clock(seconds: int) -> str:
    return f"21:{40 + seconds // 60}:{seconds % 60:02d}"


def test_a_gap_of_the_recording_stays_a_gap(tmp_path: Path) -> None:
    folder = fmf_files.write_second_layout(tmp_path)
    for part in ("currents", "timestamps"):
        path = next((folder / part).iterdir())
        # Five seconds from 21:40:57 on are moved two minutes on.
        for second in range(4, -1, -1):
            before, after = (clock(57 + second + later) for later in (0, 120))
            path.write_text(path.read_text().replace(before, after))

    with open_recordings(folder) as recordings:
        (furnace,) = play(recordings, NOON_NS)
        times = np.array([4, 6, 60, 125]) * S + NOON_NS
        assert furnace.has_frames(times).tolist() == [True, False, False, True]
        assert furnace.has_currents(times).tolist() == [True, False, False, True]


@pytest.mark.parametrize("name", ["SaveToAvi-4-19-21_40_52-6002", "a b/ü", "x" * 80])
def test_every_name_gives_a_valid_furnace_id(name: str) -> None:
    assert check_furnace_id(furnace_id(name)).startswith("fmf-benchmark/")
