-- History: one table for each three hours, `block_<number>`, written once and in the order of sharers; what came later
-- lies in `beside_<number>`. Both are (sharer INTEGER PRIMARY KEY, packed BLOB NOT NULL) and are made when needed.

PRAGMA application_id = 0x4E424831; -- "NBH1"
PRAGMA user_version = 1;

CREATE TABLE state (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    closed_upto INTEGER NOT NULL,  -- newest block that was closed
    beside_seq INTEGER NOT NULL,   -- of closed blocks, all of the journal up to here is in this file
    replay_after INTEGER NOT NULL  -- all of the journal up to here is in this file
) STRICT;
INSERT INTO state VALUES (1, -1, 0, 0);

CREATE TABLE newest (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    readings BLOB NOT NULL         -- everybody's newest reading, READING_DTYPE, by sharer
) STRICT;

CREATE TABLE filed (               -- imports: kept by when they were filed, not by when they were measured
    sharer INTEGER NOT NULL,
    block INTEGER NOT NULL,
    packed BLOB NOT NULL,
    filed_ms INTEGER NOT NULL,
    PRIMARY KEY (sharer, block)
) STRICT, WITHOUT ROWID;
