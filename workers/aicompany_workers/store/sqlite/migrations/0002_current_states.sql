-- The latest state of every aggregate, folded over all its events as they are inserted, in the same transaction.
-- The rules are those of core (aicompany.tasks.state and its neighbours); a test compares the two.

CREATE TABLE task_states (
    id TEXT PRIMARY KEY,
    parent_id TEXT,
    state TEXT NOT NULL,
    title TEXT NOT NULL,
    prompt TEXT NOT NULL,
    kind TEXT NOT NULL,
    lane TEXT NOT NULL,
    agent TEXT,
    requester TEXT,
    deadline TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    tokens INTEGER NOT NULL DEFAULT 0,
    cost_usd REAL NOT NULL DEFAULT 0,
    result TEXT,
    error_code TEXT,
    error_message TEXT,
    submitted_at TEXT NOT NULL,
    started_at TEXT,
    ended_at TEXT,
    delivered_at TEXT,
    version INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX task_states_by_parent ON task_states (parent_id, id) WHERE parent_id IS NOT NULL;
CREATE INDEX task_states_by_state ON task_states (state, submitted_at, id) WHERE parent_id IS NULL;
CREATE INDEX task_states_by_end ON task_states (ended_at) WHERE parent_id IS NULL;
CREATE INDEX task_states_by_submission ON task_states (submitted_at, id) WHERE parent_id IS NULL;

CREATE INDEX task_states_by_deadline ON task_states (deadline)
WHERE parent_id IS NULL AND state IN ('submitted', 'running');

CREATE TRIGGER task_submitted AFTER INSERT ON events
WHEN NEW.aggregate_type = 'task' AND NEW.event_type = 'task_submitted'
BEGIN
    INSERT INTO task_states (
        id, parent_id, state, title, prompt, kind, lane, agent, requester, deadline, submitted_at, version
    ) VALUES (
        NEW.aggregate_id,
        NEW.event_data ->> '$.parent_id',
        'submitted',
        NEW.event_data ->> '$.title',
        NEW.event_data ->> '$.prompt',
        NEW.event_data ->> '$.kind',
        NEW.event_data ->> '$.lane',
        NEW.event_data ->> '$.agent',
        NEW.event_data ->> '$.requester',
        strftime('%Y-%m-%dT%H:%M:%f', NEW.event_data ->> '$.deadline') || '000+00:00',
        NEW.timestamp,
        NEW.version
    );
END;

CREATE TRIGGER task_moved AFTER INSERT ON events
WHEN NEW.aggregate_type = 'task' AND NEW.event_type IN (
    'task_started', 'retry_scheduled', 'task_postponed', 'task_completed', 'task_failed', 'task_cancelled', 'task_undone',
    'task_reopened', 'result_delivered'
)
BEGIN
    UPDATE task_states SET
        state = CASE NEW.event_type
            WHEN 'task_started' THEN 'running'
            WHEN 'retry_scheduled' THEN 'submitted'
            WHEN 'task_postponed' THEN 'submitted'
            WHEN 'task_completed' THEN 'completed'
            WHEN 'task_failed' THEN 'failed'
            WHEN 'task_cancelled' THEN 'cancelled'
            WHEN 'task_undone' THEN 'undone'
            WHEN 'task_reopened' THEN 'submitted'
            ELSE state
        END,
        attempts = attempts + (NEW.event_type = 'task_started'),
        started_at = CASE NEW.event_type
            WHEN 'task_started' THEN coalesce(started_at, NEW.timestamp)
            WHEN 'task_reopened' THEN NULL
            ELSE started_at
        END,
        ended_at = CASE
            WHEN NEW.event_type IN ('task_completed', 'task_failed', 'task_cancelled') THEN NEW.timestamp
            WHEN NEW.event_type = 'task_reopened' THEN NULL
            ELSE ended_at
        END,
        delivered_at = CASE NEW.event_type
            WHEN 'result_delivered' THEN NEW.timestamp
            WHEN 'task_reopened' THEN NULL
            ELSE delivered_at
        END,
        result = CASE NEW.event_type
            WHEN 'task_completed' THEN NEW.event_data ->> '$.result'
            WHEN 'task_reopened' THEN NULL
            ELSE result
        END,
        error_code = CASE NEW.event_type
            WHEN 'task_failed' THEN NEW.event_data ->> '$.failure.code'
            WHEN 'task_reopened' THEN NULL
            ELSE error_code
        END,
        error_message = CASE NEW.event_type
            WHEN 'task_failed' THEN NEW.event_data ->> '$.failure.message'
            WHEN 'task_cancelled' THEN NEW.event_data ->> '$.reason'
            WHEN 'task_reopened' THEN NULL
            ELSE error_message
        END,
        version = NEW.version
    WHERE id = NEW.aggregate_id;
END;

-- What the model cost: a step's from its answers, an order's from planning and the receipts of its steps.
CREATE TRIGGER task_cost AFTER INSERT ON events
WHEN NEW.aggregate_type = 'task' AND NEW.event_type IN ('model_answered', 'step_ended')
BEGIN
    UPDATE task_states SET
        tokens = tokens + (
            SELECT coalesce(u ->> '$.input_tokens', 0) + coalesce(u ->> '$.output_tokens', 0)
                + coalesce(u ->> '$.cache_read_tokens', 0) + coalesce(u ->> '$.cache_write_tokens', 0)
            FROM (SELECT coalesce(NEW.event_data -> '$.answer.usage', NEW.event_data -> '$.usage', '{}') AS u)
        ),
        cost_usd = cost_usd + coalesce(
            NEW.event_data ->> '$.answer.usage.cost_usd', NEW.event_data ->> '$.usage.cost_usd', 0
        ),
        version = NEW.version
    WHERE id = NEW.aggregate_id;
END;

CREATE TRIGGER task_version AFTER INSERT ON events
WHEN NEW.aggregate_type = 'task' AND NEW.event_type IN (
    'tools_used', 'plan_made', 'steps_dispatched', 'phase_completed', 'rollback_started'
)
BEGIN
    UPDATE task_states SET version = NEW.version WHERE id = NEW.aggregate_id;
END;

CREATE VIEW task_current_state AS SELECT * FROM task_states;

CREATE TABLE conversation_states (
    id TEXT PRIMARY KEY,
    requester TEXT,
    turns INTEGER NOT NULL DEFAULT 0,
    open_turns INTEGER NOT NULL DEFAULT 0,
    last_text TEXT,
    started_at TEXT NOT NULL,
    changed_at TEXT NOT NULL,
    version INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX conversation_states_by_change ON conversation_states (changed_at);

CREATE TRIGGER conversation_started AFTER INSERT ON events
WHEN NEW.aggregate_type = 'conversation' AND NEW.event_type = 'conversation_started'
BEGIN
    INSERT INTO conversation_states (id, requester, started_at, changed_at, version)
    VALUES (NEW.aggregate_id, NEW.event_data ->> '$.requester', NEW.timestamp, NEW.timestamp, NEW.version);
END;

CREATE TRIGGER conversation_moved AFTER INSERT ON events
WHEN NEW.aggregate_type = 'conversation' AND NEW.event_type <> 'conversation_started'
BEGIN
    UPDATE conversation_states SET
        turns = turns + (NEW.event_type = 'turn_taken'),
        open_turns = open_turns + CASE NEW.event_type
            WHEN 'turn_taken' THEN 1
            WHEN 'turn_answered' THEN -1
            WHEN 'turn_failed' THEN -1
            ELSE 0
        END,
        last_text = coalesce(NEW.event_data ->> '$.text', last_text),
        changed_at = NEW.timestamp,
        version = NEW.version
    WHERE id = NEW.aggregate_id;
END;

CREATE VIEW conversation_current_state AS SELECT * FROM conversation_states;

CREATE TABLE dead_letter_states (
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    task_id TEXT,
    queue TEXT NOT NULL,
    error_code TEXT NOT NULL,
    error_message TEXT NOT NULL,
    body TEXT NOT NULL,
    burials INTEGER NOT NULL,
    buried_at TEXT NOT NULL,
    replayed_at TEXT,
    version INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX dead_letter_states_by_burial ON dead_letter_states (state, buried_at);

CREATE TRIGGER message_buried AFTER INSERT ON events
WHEN NEW.aggregate_type = 'dead_letter' AND NEW.event_type = 'message_buried'
BEGIN
    INSERT INTO dead_letter_states (
        id, state, task_id, queue, error_code, error_message, body, burials, buried_at, version
    ) VALUES (
        NEW.aggregate_id, 'buried', NEW.event_data ->> '$.task_id', NEW.event_data ->> '$.queue',
        NEW.event_data ->> '$.failure.code', NEW.event_data ->> '$.failure.message', NEW.event_data ->> '$.body',
        1, NEW.timestamp, NEW.version
    )
    ON CONFLICT (id) DO UPDATE SET
        state = 'buried',
        task_id = excluded.task_id,
        queue = excluded.queue,
        error_code = excluded.error_code,
        error_message = excluded.error_message,
        body = excluded.body,
        burials = burials + 1,
        buried_at = excluded.buried_at,
        version = excluded.version;
END;

CREATE TRIGGER message_replayed AFTER INSERT ON events
WHEN NEW.aggregate_type = 'dead_letter' AND NEW.event_type = 'message_replayed'
BEGIN
    UPDATE dead_letter_states SET state = 'replayed', replayed_at = NEW.timestamp, version = NEW.version
    WHERE id = NEW.aggregate_id;
END;

CREATE VIEW dead_letter_current_state AS SELECT * FROM dead_letter_states;
