-- How people are reached beyond their own e-mail and webhook, and what is known of all their ways.
-- `sealed` holds label and address, sealed with the key of keys/contacts.

CREATE TABLE way (
    person    TEXT NOT NULL REFERENCES person (id),
    channel   TEXT NOT NULL,
    number    INTEGER NOT NULL,
    sealed    TEXT NOT NULL,
    added_ms  INTEGER NOT NULL,
    proven_ms INTEGER NOT NULL,
    proven_by INTEGER NOT NULL,
    lost_ms   INTEGER NOT NULL,
    lost_why  TEXT NOT NULL,
    UNIQUE (person, channel, number)
) STRICT;

-- By what the key of keys/contacts is known; one row. `people_sealed`: every row of `person` is sealed too.
CREATE TABLE contact_key (
    one           INTEGER PRIMARY KEY CHECK (one = 1),
    proof         TEXT NOT NULL,
    people_sealed INTEGER NOT NULL
) STRICT;
