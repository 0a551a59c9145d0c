"""The composition root: where settings are read, adapters are chosen and everything is put together.

`settings.py` is what an operator chose. `platform.py` builds the platform from it, `watcher.py` the watcher.
`control.py` and `control_commands.py` let the command line change things through the running platform.
`demo.py` makes up a family to look at, `publisher.py` sends readings through the real door, `tls.py` loads a
certificate. Only here are adapters imported.
"""
