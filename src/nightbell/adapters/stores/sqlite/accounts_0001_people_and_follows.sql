-- Accounts, the durable copy. Forward only: a released file is never changed, the next one is added.

CREATE TABLE person (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    name_folded TEXT NOT NULL UNIQUE,
    email       TEXT NOT NULL,
    unit        TEXT NOT NULL,
    zone        TEXT NOT NULL,
    sharer      INTEGER NOT NULL,
    hidden      INTEGER NOT NULL,
    created_ms  INTEGER NOT NULL,
    password    TEXT NOT NULL,
    webhook     TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX person_by_sharer ON person (sharer) WHERE sharer >= 0;

-- How many credential numbers were given out; one row.
CREATE TABLE credentials_reserved (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    reserved INTEGER NOT NULL
) STRICT;

INSERT INTO credentials_reserved VALUES (1, 0);

CREATE TABLE key (
    id          TEXT PRIMARY KEY,
    credential  INTEGER NOT NULL UNIQUE,
    person      TEXT NOT NULL REFERENCES person (id),
    scope       TEXT NOT NULL,
    label       TEXT NOT NULL,
    secret_hash BLOB NOT NULL UNIQUE,
    created_ms  INTEGER NOT NULL,
    revoked_ms  INTEGER NOT NULL
) STRICT;

CREATE TABLE share (
    account     TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    name_folded TEXT NOT NULL UNIQUE,
    person      TEXT NOT NULL REFERENCES person (id),
    credential  INTEGER NOT NULL UNIQUE,
    created_ms  INTEGER NOT NULL,
    password    TEXT NOT NULL
) STRICT;

CREATE TABLE share_session (
    id_hash   BLOB PRIMARY KEY,
    account   TEXT NOT NULL REFERENCES share (account),
    opened_ms INTEGER NOT NULL,
    used_ms   INTEGER NOT NULL
) STRICT;

-- Limits are kept once for everybody who chose the same: JSON of `Limits`, in `form` 1.
CREATE TABLE limit_set (
    id      INTEGER PRIMARY KEY,
    form    INTEGER NOT NULL,
    content BLOB NOT NULL,
    UNIQUE (form, content)
) STRICT;

CREATE TABLE follow (
    number        INTEGER PRIMARY KEY,
    id            TEXT NOT NULL UNIQUE,
    sharer        TEXT NOT NULL REFERENCES person (id),
    sharer_number INTEGER NOT NULL,
    follower      TEXT NOT NULL REFERENCES person (id),
    state         TEXT NOT NULL,
    may_see_graph INTEGER NOT NULL,
    may_be_told   INTEGER NOT NULL,
    limit_set     INTEGER NOT NULL REFERENCES limit_set (id),
    since_ms      INTEGER NOT NULL,
    paused_by     TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX follow_once ON follow (sharer, follower) WHERE state <> 'ended';

CREATE TABLE invitation (
    id            TEXT PRIMARY KEY,
    secret_hash   BLOB NOT NULL UNIQUE,
    sharer        TEXT NOT NULL REFERENCES person (id),
    may_see_graph INTEGER NOT NULL,
    may_be_told   INTEGER NOT NULL,
    expires_ms    INTEGER NOT NULL
) STRICT;

-- Who looked at whose readings. Each hash covers its own row and the hash before it.
CREATE TABLE look (
    number     INTEGER PRIMARY KEY,
    at_ms      INTEGER NOT NULL,
    viewer     TEXT NOT NULL,
    sharer     INTEGER NOT NULL,
    what       TEXT NOT NULL,
    credential INTEGER NOT NULL,
    hash       BLOB NOT NULL
) STRICT;

CREATE INDEX look_by_sharer ON look (sharer, number);

-- The last link that was dropped for its age; one row.
CREATE TABLE look_anchor (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    number INTEGER NOT NULL,
    hash   BLOB NOT NULL
) STRICT;

INSERT INTO look_anchor VALUES (1, 0, zeroblob(32));
