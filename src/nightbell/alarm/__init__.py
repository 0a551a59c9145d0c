"""The life of one alarm.

Transitions and facts go in, effects come out. One alarm for each sharer and family, from the first condition
to the last; each follow's delay, hours, snooze and what rang already decide who is told, and why.
Walk: `lifecycle.py` is the table of states, `decide.py` one follow's decision, `part.py` what an alarm keeps
for one follow, `alarm.py` one alarm, `book.py` all of them, `service.py` runs it behind the journal.
"""
