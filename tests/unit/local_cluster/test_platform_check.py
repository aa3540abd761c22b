import platform

import pytest
from meltwatch_chassis.errors import ConfigurationError
from meltwatch_local_cluster.launch.run import check_platform


@pytest.mark.parametrize(
    ("machine", "library"),
    [
        ("aarch64", ("glibc", "2.36")),
        ("x86_64", ("glibc", "2.31")),
        ("x86_64", ("musl", "1.2")),
        ("x86_64", ("", "")),
    ],
)
def test_a_machine_that_triton_does_not_run_on_is_pointed_to_the_laptop_overlay(
    monkeypatch, machine, library
):
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(platform, "libc_ver", lambda: library)
    with pytest.raises(ConfigurationError, match=r"expected Linux .* found .*laptop overlay"):
        check_platform()


@pytest.mark.parametrize("version", ["2.35", "2.41", "3.0"])
def test_a_supported_machine_passes(monkeypatch, version):
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", version))
    check_platform()
