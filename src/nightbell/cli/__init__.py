"""The command line: `nightbell up`, `nightbell person add`, `nightbell publish` and the rest.

`main.py` holds the commands and their exit codes. `up` and `watch` become the platform and the watcher. All
others talk to a running platform through its control socket, so that every change passes the same services as
the web. Words lie in the catalogue `cli`; `speak.py` prints them, as text for a person or JSON for a program.
"""
