-- The stream of events, the inbox, the outbox and the measurements.

CREATE TABLE events (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    aggregate_type TEXT NOT NULL,
    aggregate_id TEXT COLLATE "C" NOT NULL,
    version INTEGER NOT NULL,
    event_type TEXT NOT NULL,
    event_data TEXT NOT NULL,
    metadata TEXT NOT NULL,
    timestamp TIMESTAMPTZ NOT NULL,
    UNIQUE (aggregate_type, aggregate_id, version)
);

CREATE TABLE inbox (
    message_id TEXT COLLATE "C" PRIMARY KEY,
    handled_at TIMESTAMPTZ NOT NULL
);

CREATE INDEX inbox_by_age ON inbox (handled_at);

CREATE TABLE outbox (
    sequence BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue TEXT NOT NULL,
    message_id TEXT NOT NULL,
    body BYTEA NOT NULL,
    due_at TIMESTAMPTZ
);

-- Rows live for milliseconds; their space is to be had again soon.
ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000);

CREATE TABLE performance_metrics (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    metric TEXT NOT NULL,
    value DOUBLE PRECISION NOT NULL,
    unit TEXT NOT NULL,
    labels TEXT NOT NULL,
    timestamp TIMESTAMPTZ NOT NULL
);

CREATE INDEX performance_metrics_by_time ON performance_metrics (timestamp, metric);
