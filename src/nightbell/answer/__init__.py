"""A person answers: "I've got it", not after all, leave me in peace for a while, a new sensor is warming up.

An answer is a fact in the journal; what it does to the alarm is decided in `alarm/people.py`, in the one
order. Walk: `rules.py` says what may be asked, `service.py` asks who it is, journals it and waits for it.
"""
