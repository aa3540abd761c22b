import pytest
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_chassis.moment import moment_ns

NOW_NS = 1_800_000_000_000_000_000


@pytest.mark.parametrize(
    ("text", "expected_ms"),
    [
        ("now", 1_800_000_000_000),
        ("90s", 1_799_999_910_000),
        ("-90s", 1_799_999_910_000),
        ("10m", 1_799_999_400_000),
        ("2h", 1_799_992_800_000),
        ("1d", 1_799_913_600_000),
        ("1970-01-01T08:00:01+08:00", 1_000),
        ("2027-01-15T08:00:00.250Z", 1_800_000_000_250),
        ("999999999d", 0),
    ],
)
def test_a_moment_is_so_long_ago_or_a_time_with_its_zone(text, expected_ms):
    assert moment_ns(text, NOW_NS) == expected_ms * 1_000_000


def test_a_moment_that_utc_does_not_know_is_bad_usage():
    for text in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"):
        with pytest.raises(ConfigurationError, match="year 1 to 9999 UTC"):
            moment_ns(text, NOW_NS)


def test_a_moment_that_nanoseconds_cannot_count_is_the_last_one():
    for text in ("2262-04-12T00:00:00Z", "9999-12-31T23:59:59Z"):
        assert moment_ns(text, NOW_NS) == 2**63 - 1


@pytest.mark.parametrize(
    "text", ["", "yesterday", "10", "10 m", "--5m", "10m ago", "2027-01-15T08:00:00"]
)
def test_anything_else_is_bad_usage(text):
    with pytest.raises(ConfigurationError, match="expected 90s, 10m"):
        moment_ns(text, NOW_NS)
