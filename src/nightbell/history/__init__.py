"""By sharer and time: for graphs, reports and old clients.

Three hours of one sharer are one small packed block. The blocks that are still being filled live in memory,
in
columns, and are rebuilt from the journal after a restart. When the three hours are over they are written
together,
in the order of sharers, to a table of their own; what comes later goes beside it and is merged when
somebody reads.
Dropping a table is how the past is forgotten.

History follows the journal and answers for itself: when the journal has expired, this is what there is.
"""
