PRAGMA application_id = 0;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE alarm (
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
INSERT INTO "alarm" VALUES('6685153eaf4da05234203b8c229a73c2',1,'low','resolved',3,0,3,1795365000000,1795365000000,1795365600000,'82b459de-0f81-4476-81ba-76d0fc29fa54',1795365000000,1795365900000,130,1795365600000);
CREATE TABLE attempt (
    message TEXT NOT NULL,
    channel TEXT NOT NULL,
    number INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    result TEXT NOT NULL,
    reason TEXT NOT NULL,
    provider_id TEXT NOT NULL,
    PRIMARY KEY (message, channel, number)
) STRICT, WITHOUT ROWID;
INSERT INTO "attempt" VALUES('103c12a4dd61172cf8302b06b048fd5b','app',1,1795365900000,'unavailable','','');
INSERT INTO "attempt" VALUES('69d10a77ae158ac2ca5a247e4d10b5a0','app',1,1795365000000,'unavailable','','');
CREATE TABLE delivery (
    notification TEXT NOT NULL,
    channel TEXT NOT NULL,
    state TEXT NOT NULL,
    tries INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (notification, channel)
) STRICT, WITHOUT ROWID;
INSERT INTO "delivery" VALUES('103c12a4dd61172cf8302b06b048fd5b','app','unreached',1,1795365900000,'no_screen');
INSERT INTO "delivery" VALUES('69d10a77ae158ac2ca5a247e4d10b5a0','app','unreached',1,1795365000000,'no_screen');
CREATE TABLE entry (
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
INSERT INTO "entry" VALUES('6685153eaf4da05234203b8c229a73c2',0,1795365000000,'opened','began',3,-1,'',0);
INSERT INTO "entry" VALUES('6685153eaf4da05234203b8c229a73c2',1,1795365000000,'told','first',3,0,'82b459de-0f81-4476-81ba-76d0fc29fa54',0);
INSERT INTO "entry" VALUES('6685153eaf4da05234203b8c229a73c2',2,1795365000000,'answered','said_by_person',-1,-1,'82b459de-0f81-4476-81ba-76d0fc29fa54',1795365900000);
INSERT INTO "entry" VALUES('6685153eaf4da05234203b8c229a73c2',3,1795365600000,'resolved','ended',3,-1,'',0);
CREATE TABLE mark (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "mark" VALUES('upto_seq',168);
CREATE TABLE notification (
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
INSERT INTO "notification" VALUES('103c12a4dd61172cf8302b06b048fd5b','6685153eaf4da05234203b8c229a73c2',1,1,0,'82b459de-0f81-4476-81ba-76d0fc29fa54','recovered',3,0,1795365600000,0,130,1795365600000,'82b459de-0f81-4476-81ba-76d0fc29fa54','');
INSERT INTO "notification" VALUES('69d10a77ae158ac2ca5a247e4d10b5a0','6685153eaf4da05234203b8c229a73c2',0,1,0,'82b459de-0f81-4476-81ba-76d0fc29fa54','ring',3,0,1795365000000,1,50,1795365000000,'','');
CREATE TABLE receipt (
    message TEXT NOT NULL,
    channel TEXT NOT NULL,
    state TEXT NOT NULL,
    person TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (message, channel, state)
) STRICT, WITHOUT ROWID;
CREATE INDEX alarm_of_sharer ON alarm (sharer, opened_ms DESC);
CREATE INDEX alarm_open ON alarm (opened_ms) WHERE state <> 'resolved';
CREATE INDEX alarm_over ON alarm (resolved_ms) WHERE state = 'resolved';
CREATE INDEX notification_of_alarm ON notification (alarm, follow, step);
CREATE INDEX delivery_due ON delivery (due_ms) WHERE state = 'waiting';
COMMIT;
