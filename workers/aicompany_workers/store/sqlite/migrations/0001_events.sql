-- The stream of events, the inbox, the outbox and the measurements.

CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    aggregate_type TEXT NOT NULL,
    aggregate_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    event_type TEXT NOT NULL,
    event_data TEXT NOT NULL,
    metadata TEXT NOT NULL,
    timestamp TEXT NOT NULL,
    UNIQUE (aggregate_type, aggregate_id, version)
);

CREATE TABLE inbox (
    message_id TEXT PRIMARY KEY,
    handled_at TEXT NOT NULL
) WITHOUT ROWID;

CREATE INDEX inbox_by_age ON inbox (handled_at);

CREATE TABLE outbox (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    message_id TEXT NOT NULL,
    body BLOB NOT NULL,
    due_at REAL NOT NULL
);

CREATE TABLE performance_metrics (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    metric TEXT NOT NULL,
    value REAL NOT NULL,
    unit TEXT NOT NULL,
    labels TEXT NOT NULL,
    timestamp TEXT NOT NULL
);

CREATE INDEX performance_metrics_by_time ON performance_metrics (timestamp, metric);
