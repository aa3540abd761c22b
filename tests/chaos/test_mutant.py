"""Each mutant breaks a rule that stands where the mutant looks for it.

Mutants reach into the product by name, and run outside of the gate: without this, a rule that
moved would leave a mutant that ends at once, or that breaks nothing.
"""

import pytest


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a mutant puts where, without doing it."""
    # Imported late: kafka-python's import warns before the root conftest has filtered it.
    from tests.chaos import mutant  # noqa: PLC0415

    put: list[str] = []

    def look(owner: object, name: str, _: object) -> None:
        getattr(owner, name)
        put.append(name)

    monkeypatch.setattr(mutant, "put", look)
    return put


def test_what_mutants_replace_is_there(stand_ins: list[str]) -> None:
    from tests.chaos.mutant import MUTANTS, UNSEEN  # noqa: PLC0415

    for name, mutate in (MUTANTS | UNSEEN).items():
        stand_ins.clear()
        mutate()
        assert stand_ins, name


def test_a_rule_that_has_moved_is_missed() -> None:
    from tests.chaos import mutant  # noqa: PLC0415

    with pytest.raises(AttributeError):
        mutant.put(mutant.Delivery, "dead_letter_of_old", None)


def test_the_program_for_long_runs_starts() -> None:
    from tests.chaos.__main__ import main  # noqa: PLC0415

    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
