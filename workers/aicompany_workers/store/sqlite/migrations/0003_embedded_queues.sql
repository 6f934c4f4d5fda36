-- Queues of the embedded broker.

CREATE TABLE queue_messages (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    message_id TEXT NOT NULL,
    body BLOB NOT NULL,
    due_at REAL NOT NULL,
    published_at REAL NOT NULL,
    delivery_count INTEGER NOT NULL DEFAULT 0,
    reason TEXT,
    source_queue TEXT
);

CREATE INDEX queue_messages_in_order ON queue_messages (queue, sequence);
