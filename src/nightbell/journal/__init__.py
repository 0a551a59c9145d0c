"""Written down before anything is promised.

What the door admits, and every change that evaluation depends on, goes into one total order. It gathers for
a few
milliseconds, becomes one packed record with a checksum, and is on the disk before anybody is told that it was
taken. Then everything downstream gets it, once, in the same order.

Live readings never wait behind old ones: they have queues and commits of their own, and a full queue says
so at
once. When the disk fails, nothing is promised, but what came is still handed on, so that an alarm can ring.
After a crash the same order is read back; damage is set aside and named, and the rest goes on.
"""
