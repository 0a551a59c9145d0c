"""Step 6: an alarm reaches a person.

`alarm` decides who is told and why; its `Effects` arrive here. They are written to the ledger, all that are
queued in one transaction, and only then performed: at once on every open screen of the follower (`hub`), then
by every way the follower has. Each notification has one `Delivery` per way (`email`, `sms`, `sms:2`): a row
with a deadline, so a crash repeats a try and never loses one. `outbox` holds the rules (what to try, when to
try again, what is too old to sound as if it were now), `compose` the sentences, `service` does the work.

A bell rings without its ledger: if the ledger cannot be written, everything is performed from memory, the
writing is tried again, and `health()` says what to do.
"""
