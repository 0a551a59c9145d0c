"""Beside it all: the watcher sees our own failure, judges it, and tells everybody affected.

It shares no fate with the platform: its own process, its own file, its own port, its own list of whom to
tell.

* `canary` plans the rounds: a hidden sharer's known low goes through the real door and must ring.
* `evidence` and `sight` say what each detector sees: door, stream, way of the alarm, answer.
* `doubt` notices that the watcher itself stalled, slept or lost its network, so that it accuses nobody.
* `judge` turns evidence into suspicion, an incident, its updates and its end: a state machine without a
clock.
* `roster` and `notice` say who is affected and what each of them is told, in words for the night.
* `page` writes the public status page, which needs nothing of the platform.
* `service` holds all of it together and is the only file that awaits.

Arrivals by cohort, several watchers that vote, a retraction of a false notice, and more channels find their
place beside these: a detector in `sight`, a rule in `judge`, a line in `app/watcher.py`.
"""
