"""Step 1: a phone hands us readings.

`native` (or a dialect in `adapters/`) turns a request into raw readings and an `Uploader`. `clock` says how
wrong that uploader's clock is. `admit` judges each reading on its own: live, late, a duplicate, or refused
with a reason; one bad reading never takes a good one with it. `service` writes what was admitted to the
journal and answers only when it is durable. `recent` remembers each sharer's newest readings, from committed
groups alone, so that a repeated upload is known as such and an upload whose commit failed is not.
"""
