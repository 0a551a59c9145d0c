"""The oracle: a second evaluator, slow and plain, that knows nothing of the first.

It was written from `docs/reference/conditions.md` alone and holds its own numbers. Whoever changes the page
changes both. `journals.py` makes what they are compared on, `compare.py` compares.
"""
