-- Alarms climb a ladder: where each stands, and how loudly each notification is told.

ALTER TABLE alarm ADD COLUMN exhausted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE alarm ADD COLUMN climbs_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE notification ADD COLUMN tier INTEGER NOT NULL DEFAULT -1;
