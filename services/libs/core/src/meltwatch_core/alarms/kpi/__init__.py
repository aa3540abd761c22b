"""How well the alarm system serves its operators: key figures designed along ISA-18.2 clause 16.

Two clocks are used, each for what it can tell. What people were told goes by the wall clock of the
record (``times.published``): rates, floods, response, suppression. What the plant did goes by the
plant's own time (``raise_time``, ``clear_time``): chattering, fleeting, stale. So a manager that
was away and judges ten minutes at once makes no alarm fleeting.
"""
