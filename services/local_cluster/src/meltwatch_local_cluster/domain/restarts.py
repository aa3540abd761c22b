"""How long a dead service stays down before it is started again."""

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0
STEADY_S = 60.0


def delay_s(deaths_in_a_row: int) -> float:
    """Give the pause before the next start: doubled by each death, up to half a minute.

    Parameters
    ----------
    deaths_in_a_row
        How often the service has died without a steady minute between, at least 1.

    Returns
    -------
    Seconds, 0.5 to 30.
    """
    doublings = min(deaths_in_a_row - 1, 16)
    return min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0**doublings)


def deaths_after(deaths_in_a_row: int, lived_s: float) -> int:
    """Count a death.

    Parameters
    ----------
    deaths_in_a_row
        Deaths before this one.
    lived_s
        How long the process ran, seconds; a steady minute makes this death the first of a row.

    Returns
    -------
    The count with this death, at least 1.
    """
    return 1 if lived_s >= STEADY_S else deaths_in_a_row + 1
