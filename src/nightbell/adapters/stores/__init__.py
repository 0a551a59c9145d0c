"""Where things are kept: each kind of store implements the ports of the steps that need it.

`memory` behaves like the others and forgets; it is what tests stand on. `sqlite` keeps accounts, journal,
history and ledger of one machine, each in a file of its own, so that one can be lost without the others. The
rest are small files: keys, checkpoints, looks, and the watcher's own roster.
"""
