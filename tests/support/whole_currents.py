"""Whether a meter's messages follow each other without a gap, however they are cut."""

from collections.abc import Sequence
from itertools import accumulate, pairwise

from meltwatch_schemas.current import CurrentChunk
from meltwatch_schemas.window import PUBLISHED_SPEC


def assert_whole(chunks: Sequence[CurrentChunk]) -> None:
    """Check that no sample is missing: neither its time nor its number."""
    times = [int(time_ns) for chunk in chunks for time_ns in chunk.event_times_ns]
    steps = {later - earlier for earlier, later in pairwise(times)}
    assert steps <= {PUBLISHED_SPEC.sample_period_ns}
    counts = [len(chunk.data) for chunk in chunks]
    assert [chunk.identity.seq for chunk in chunks] == [0, *accumulate(counts)][:-1]
