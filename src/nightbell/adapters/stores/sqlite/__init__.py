"""Stores in SQLite: WAL, synchronous=FULL, SQL by hand in the `.sql` files beside the code.

Work runs in threads that the store owns, never on the event loop. SQL never asks for the time: it is handed
in. Schemas carry their number and are moved forward only.
"""
