"""Who is who, and how a device proves it, so that signed in stays signed in.

People and what opens their doors are held in memory; the file is the durable copy. A password is asked
for once: it goes through a slow hash in a small pool that no storm of sign-ins outgrows (`ports.py`);
wrong ones bring delay, never a lock (`patience.py`). The device then holds a grant, signed, for 30 days,
verified without any store by our own tag, or else by its signature (`grants.py`), which is looked at once
(`remembered.py`). People and keys lie in columns (`book.py`, `index.py`, `texts.py`). What was withdrawn
stands in a small signed list (`revocations.py`). Old clients get keys, or a Share credential with sessions
that outlive a restart (`share.py`): their own, never the person's sign-in. How a person is reached is a
`Way` (`way_service.py`); addresses stay sealed, in memory too, until somebody is told there (`way_book.py`).
Passkeys will stand beside passwords in `service.py`: another way to come to the same grant.
"""
