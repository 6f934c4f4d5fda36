-- Which processes are alive, and which of them has which message in hand.

CREATE TABLE heartbeats (
    process TEXT PRIMARY KEY,
    at TIMESTAMPTZ NOT NULL,
    body TEXT NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE claims (
    message_id TEXT COLLATE "C" PRIMARY KEY,
    process TEXT NOT NULL,
    claimed_at TIMESTAMPTZ NOT NULL
);

CREATE INDEX claims_by_age ON claims (claimed_at);
