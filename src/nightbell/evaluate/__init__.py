"""Which conditions hold now, for everybody at once.

A deterministic fold over the journal: the same groups give the same transitions, wherever batches end.
One row for each sharer and one for each follow lie in NumPy columns; only transitions leave. The rules stand
in `docs/reference/conditions.md`, their numbers in `rules.py`. Walk: `fold.py` goes through groups,
`readings.py` what readings do to sharers, `conditions.py` what that does to follows, `silence.py` what
missing readings do, `facts.py` what people change.
"""
