-- The latest state of every aggregate, folded over all its events as they are inserted, in the same transaction.
-- The rules are those of core (aicompany.tasks.state and its neighbours); a test compares the two.

CREATE TABLE task_states (
    id TEXT COLLATE "C" PRIMARY KEY,
    parent_id TEXT COLLATE "C",
    state TEXT NOT NULL,
    title TEXT NOT NULL,
    prompt TEXT NOT NULL,
    kind TEXT NOT NULL,
    lane TEXT NOT NULL,
    agent TEXT,
    requester TEXT,
    deadline TIMESTAMPTZ,
    attempts INTEGER NOT NULL DEFAULT 0,
    tokens BIGINT NOT NULL DEFAULT 0,
    cost_usd NUMERIC NOT NULL DEFAULT 0,
    result TEXT,
    error_code TEXT,
    error_message TEXT,
    submitted_at TIMESTAMPTZ NOT NULL,
    started_at TIMESTAMPTZ,
    ended_at TIMESTAMPTZ,
    delivered_at TIMESTAMPTZ,
    version INTEGER NOT NULL
) WITH (fillfactor = 70);

CREATE INDEX task_states_by_parent ON task_states (parent_id, id) WHERE parent_id IS NOT NULL;
CREATE INDEX task_states_by_state ON task_states (state, submitted_at, id) WHERE parent_id IS NULL;
CREATE INDEX task_states_by_end ON task_states (ended_at) WHERE parent_id IS NULL;
CREATE INDEX task_states_by_submission ON task_states (submitted_at, id) WHERE parent_id IS NULL;

CREATE INDEX task_states_by_deadline ON task_states (deadline)
WHERE parent_id IS NULL AND state IN ('submitted', 'running');

CREATE TABLE conversation_states (
    id TEXT COLLATE "C" PRIMARY KEY,
    requester TEXT,
    turns INTEGER NOT NULL DEFAULT 0,
    open_turns INTEGER NOT NULL DEFAULT 0,
    last_text TEXT,
    started_at TIMESTAMPTZ NOT NULL,
    changed_at TIMESTAMPTZ NOT NULL,
    version INTEGER NOT NULL
);

CREATE INDEX conversation_states_by_change ON conversation_states (changed_at);

CREATE TABLE dead_letter_states (
    id TEXT COLLATE "C" PRIMARY KEY,
    state TEXT NOT NULL,
    task_id TEXT,
    queue TEXT NOT NULL,
    error_code TEXT NOT NULL,
    error_message TEXT NOT NULL,
    body TEXT NOT NULL,
    burials INTEGER NOT NULL,
    buried_at TIMESTAMPTZ NOT NULL,
    replayed_at TIMESTAMPTZ,
    version INTEGER NOT NULL
);

CREATE INDEX dead_letter_states_by_burial ON dead_letter_states (state, buried_at);

CREATE VIEW task_current_state AS SELECT * FROM task_states;
CREATE VIEW conversation_current_state AS SELECT * FROM conversation_states;
CREATE VIEW dead_letter_current_state AS SELECT * FROM dead_letter_states;
