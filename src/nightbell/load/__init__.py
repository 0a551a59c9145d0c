"""How loaded we are, and who is let in.

A storm must cost those first who can wait. What the parts of the platform measure of themselves comes
together here once a second; while all is well, one attribute says so and nothing else is asked. When it is
not, the lowest class of work is let in less and less, always the same people of an hour rather than everybody
half, and is told when to come again: as soon as there is room for it, and not all at once.
"""
