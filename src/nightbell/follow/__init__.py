"""Who may see whom, and what each follower wants to be told.

A sharer invites; the invitation is a secret that works once, for 48 hours. Somebody else who is signed in
accepts it, and the sharer confirms. From then on the follow is active: the follower may see what the sharer
permits, and is told by their own limits. Either may pause it, either may end it (`lifecycle.py`).
What a follower types is kept as typed (`limits.py`), held within guardrails that give their reason
(`guardrails.py`), and turned once into the levels the evaluator compares (`bounds.py`). Hours are in the
follower's own time zone (`hours.py`).
Every change is first in the store, then in the journal, and answered after both (`service.py`); what a crash
left between the two is found at the next start. Every look at somebody's readings goes through one door,
which writes down who looked (`access.py`).
"""
