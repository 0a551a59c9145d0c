-- The ledger: every alarm, what was decided about it, who was told, by which way, and what came back.
-- All keys are computed from what happened, so writing the same twice changes nothing.

CREATE TABLE IF NOT EXISTS mark (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS alarm (
    id TEXT PRIMARY KEY,
    sharer INTEGER NOT NULL,
    family TEXT NOT NULL,
    state TEXT NOT NULL,
    condition INTEGER NOT NULL,
    unseen INTEGER NOT NULL,
    version INTEGER NOT NULL,
    opened_ms INTEGER NOT NULL,
    raised_ms INTEGER NOT NULL,
    resolved_ms INTEGER NOT NULL,
    answered_by TEXT NOT NULL,
    answered_ms INTEGER NOT NULL,
    answered_until_ms INTEGER NOT NULL,
    level INTEGER NOT NULL,
    measured_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS alarm_of_sharer ON alarm (sharer, opened_ms DESC);
CREATE INDEX IF NOT EXISTS alarm_open ON alarm (opened_ms) WHERE state <> 'resolved';
CREATE INDEX IF NOT EXISTS alarm_over ON alarm (resolved_ms) WHERE state = 'resolved';

CREATE TABLE IF NOT EXISTS entry (
    alarm TEXT NOT NULL,
    number INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    reason TEXT NOT NULL,
    condition INTEGER NOT NULL,
    follow INTEGER NOT NULL,
    person TEXT NOT NULL,
    until_ms INTEGER NOT NULL,
    PRIMARY KEY (alarm, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS notification (
    id TEXT PRIMARY KEY,
    alarm TEXT NOT NULL,
    step INTEGER NOT NULL,
    sharer INTEGER NOT NULL,
    follow INTEGER NOT NULL,
    follower TEXT NOT NULL,
    kind TEXT NOT NULL,
    condition INTEGER NOT NULL,
    unseen INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    urgent INTEGER NOT NULL,
    level INTEGER NOT NULL,
    measured_ms INTEGER NOT NULL,
    answered_by TEXT NOT NULL,
    by TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS notification_of_alarm ON notification (alarm, follow, step);

CREATE TABLE IF NOT EXISTS delivery (
    notification TEXT NOT NULL,
    channel TEXT NOT NULL,
    state TEXT NOT NULL,
    tries INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (notification, channel)
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS delivery_due ON delivery (due_ms) WHERE state = 'waiting';

CREATE TABLE IF NOT EXISTS attempt (
    message TEXT NOT NULL,
    channel TEXT NOT NULL,
    number INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    result TEXT NOT NULL,
    reason TEXT NOT NULL,
    provider_id TEXT NOT NULL,
    PRIMARY KEY (message, channel, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS receipt (
    message TEXT NOT NULL,
    channel TEXT NOT NULL,
    state TEXT NOT NULL,
    person TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (message, channel, state)
) STRICT, WITHOUT ROWID;

PRAGMA user_version = 1;
