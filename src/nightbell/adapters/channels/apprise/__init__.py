"""The long tail of services, through Apprise: handed over, and nothing more is known.

Apprise waits where it sends and loads whatever its many plug-ins need. So it runs in a process of its own
(`child.py`) that this one can kill, with bounded memory, no secrets but the address of the message, and doors
that it may not go through (`guard.py`). The two speak in frames over pipes (`frames.py`). What may be asked
for at all stands in `address.py`.
"""
