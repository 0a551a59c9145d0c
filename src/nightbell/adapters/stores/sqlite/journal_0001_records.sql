-- One file of the journal: the groups of a day, one packed record a commit.
-- Rows with a seq at or above the `first_seq` of the next file were written while the disk failed, and never
-- confirmed: they are void.

PRAGMA application_id = 0x4E424A31; -- "NBJ1"
PRAGMA user_version = 1;

CREATE TABLE segment (
    first_seq INTEGER NOT NULL, -- no group of this file has a smaller one
    opened_ms INTEGER NOT NULL  -- when the file was begun, epoch ms
) STRICT;

CREATE TABLE record (
    seq INTEGER PRIMARY KEY,
    packed BLOB NOT NULL        -- journal/packing.py
) STRICT;
