-- Named statements of ledger.py. Columns stand in the order of the fields of their structs.
--
-- What writes takes all its rows as one JSON array of arrays: a statement for each row would hand Python's lock over
-- and back for each, and under load that made hundreds of rows take a second.

-- name: write_alarm
INSERT INTO alarm
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14, value ->> 15, value ->> 16
FROM json_each(?) WHERE TRUE
ON CONFLICT (id) DO UPDATE SET
    state = excluded.state,
    condition = excluded.condition,
    unseen = excluded.unseen,
    version = excluded.version,
    raised_ms = excluded.raised_ms,
    resolved_ms = excluded.resolved_ms,
    answered_by = excluded.answered_by,
    answered_ms = excluded.answered_ms,
    answered_until_ms = excluded.answered_until_ms,
    level = excluded.level,
    measured_ms = excluded.measured_ms,
    exhausted = excluded.exhausted,
    climbs_ms = excluded.climbs_ms
WHERE excluded.version > alarm.version;

-- name: write_entry
INSERT INTO entry
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8
FROM json_each(?) WHERE TRUE
ON CONFLICT DO NOTHING;

-- name: write_notification
INSERT INTO notification
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14, value ->> 15
FROM json_each(?) WHERE TRUE
ON CONFLICT DO NOTHING;

-- name: known_notifications
SELECT id FROM notification WHERE id IN (SELECT value FROM json_each(?));

-- name: write_delivery
INSERT INTO delivery
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
FROM json_each(?) WHERE TRUE
ON CONFLICT (notification, channel) DO UPDATE SET
    state = excluded.state,
    tries = excluded.tries,
    due_ms = excluded.due_ms,
    reason = excluded.reason
WHERE delivery.state = 'waiting' AND (excluded.tries > delivery.tries OR excluded.state <> 'waiting');

-- name: write_attempt
INSERT INTO attempt
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6
FROM json_each(?) WHERE TRUE
ON CONFLICT DO NOTHING;

-- name: write_receipt
INSERT INTO receipt
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4
FROM json_each(?) WHERE TRUE
ON CONFLICT DO NOTHING;

-- name: write_upto
INSERT INTO mark VALUES ('upto_seq', ?)
ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE excluded.value > mark.value;

-- name: upto
SELECT value FROM mark WHERE name = 'upto_seq';

-- name: open_alarms
SELECT * FROM alarm WHERE state <> 'resolved' ORDER BY opened_ms, id;

-- name: newest
SELECT n.*
FROM alarm AS a JOIN notification AS n ON n.alarm = a.id
WHERE a.state <> 'resolved'
  AND n.step = (SELECT MAX(m.step) FROM notification AS m WHERE m.alarm = n.alarm AND m.follow = n.follow);

-- name: alarm
SELECT * FROM alarm WHERE id = ?;

-- name: alarms_of_sharer
SELECT * FROM alarm WHERE sharer = ? ORDER BY opened_ms DESC, id LIMIT ?;

-- name: notification
SELECT * FROM notification WHERE id = ?;

-- name: waiting
SELECT d.*, n.*
FROM delivery AS d JOIN notification AS n ON n.id = d.notification
WHERE d.state = 'waiting'
ORDER BY d.due_ms
LIMIT ?;

-- name: handed_over
SELECT n.*, t.channel, t.provider_id, t.at_ms, EXISTS (
    SELECT 1 FROM receipt AS r
    WHERE r.message = n.id AND r.channel = t.channel AND r.state IN ('seen', 'failed')
)
FROM alarm AS a
JOIN notification AS n ON n.alarm = a.id
JOIN attempt AS t ON t.message = n.id
WHERE a.state <> 'resolved' AND t.result = 'sent' AND t.at_ms > ?
ORDER BY t.at_ms DESC
LIMIT ?;

-- name: entries_of_alarm
SELECT * FROM entry WHERE alarm = ? ORDER BY number DESC LIMIT ?;

-- name: notifications_of_alarm
SELECT * FROM notification WHERE alarm = ? ORDER BY at_ms DESC, follow DESC, step DESC LIMIT ?;

-- name: deliveries_of_notification
SELECT * FROM delivery WHERE notification = ? ORDER BY channel;

-- name: attempts_of_notification
SELECT * FROM attempt WHERE message = ? ORDER BY at_ms, channel, number;

-- name: receipts_of_notification
SELECT * FROM receipt WHERE message = ? ORDER BY at_ms, channel, state;

-- name: over_before
SELECT id FROM alarm WHERE state = 'resolved' AND resolved_ms < ? ORDER BY resolved_ms LIMIT ?;

-- name: forget_receipts
DELETE FROM receipt WHERE message IN (SELECT id FROM notification WHERE alarm = ?);

-- name: forget_attempts
DELETE FROM attempt WHERE message IN (SELECT id FROM notification WHERE alarm = ?);

-- name: forget_deliveries
DELETE FROM delivery WHERE notification IN (SELECT id FROM notification WHERE alarm = ?);

-- name: forget_notifications
DELETE FROM notification WHERE alarm = ?;

-- name: forget_entries
DELETE FROM entry WHERE alarm = ?;

-- name: forget_alarm
DELETE FROM alarm WHERE id = ?;
