-- What an event does to the latest state. JSON may name the character U+0000, which PostgreSQL's text cannot hold.

CREATE FUNCTION fold_task() RETURNS trigger LANGUAGE plpgsql AS $body$
DECLARE
    d JSONB;
    u JSONB;
BEGIN
    IF NEW.event_type IN ('tools_used', 'plan_made', 'steps_dispatched', 'phase_completed', 'rollback_started') THEN
        UPDATE task_states SET version = NEW.version WHERE id = NEW.aggregate_id;
        RETURN NULL;
    END IF;
    d := replace(NEW.event_data, '\u0000', '\ufffd')::JSONB;
    CASE NEW.event_type
    WHEN 'task_submitted' THEN
        INSERT INTO task_states (
            id, parent_id, state, title, prompt, kind, lane, agent, requester, deadline, submitted_at, version
        ) VALUES (
            NEW.aggregate_id, d ->> 'parent_id', 'submitted', d ->> 'title', d ->> 'prompt', d ->> 'kind',
            d ->> 'lane', d ->> 'agent', d ->> 'requester', (d ->> 'deadline')::TIMESTAMPTZ, NEW.timestamp,
            NEW.version
        );
    WHEN 'task_started' THEN
        UPDATE task_states SET state = 'running', attempts = attempts + 1,
            started_at = coalesce(started_at, NEW.timestamp), version = NEW.version
        WHERE id = NEW.aggregate_id;
    WHEN 'retry_scheduled', 'task_postponed' THEN
        UPDATE task_states SET state = 'submitted', version = NEW.version WHERE id = NEW.aggregate_id;
    WHEN 'task_completed' THEN
        UPDATE task_states SET state = 'completed', ended_at = NEW.timestamp, result = d ->> 'result',
            version = NEW.version
        WHERE id = NEW.aggregate_id;
    WHEN 'task_failed' THEN
        UPDATE task_states SET state = 'failed', ended_at = NEW.timestamp, error_code = d #>> '{failure,code}',
            error_message = d #>> '{failure,message}', version = NEW.version
        WHERE id = NEW.aggregate_id;
    WHEN 'task_cancelled' THEN
        UPDATE task_states SET state = 'cancelled', ended_at = NEW.timestamp, error_message = d ->> 'reason',
            version = NEW.version
        WHERE id = NEW.aggregate_id;
    WHEN 'task_undone' THEN
        UPDATE task_states SET state = 'undone', version = NEW.version WHERE id = NEW.aggregate_id;
    WHEN 'task_reopened' THEN
        UPDATE task_states SET state = 'submitted', started_at = NULL, ended_at = NULL, delivered_at = NULL,
            result = NULL, error_code = NULL, error_message = NULL, version = NEW.version
        WHERE id = NEW.aggregate_id;
    WHEN 'result_delivered' THEN
        UPDATE task_states SET delivered_at = NEW.timestamp, version = NEW.version WHERE id = NEW.aggregate_id;
    WHEN 'model_answered', 'step_ended' THEN
        -- What the model cost: a step's from its answers, an order's from planning and the receipts of its steps.
        u := coalesce(d #> '{answer,usage}', d -> 'usage', '{}');
        UPDATE task_states SET
            tokens = tokens + coalesce((u ->> 'input_tokens')::BIGINT, 0)
                + coalesce((u ->> 'output_tokens')::BIGINT, 0) + coalesce((u ->> 'cache_read_tokens')::BIGINT, 0)
                + coalesce((u ->> 'cache_write_tokens')::BIGINT, 0),
            cost_usd = cost_usd + coalesce((u ->> 'cost_usd')::NUMERIC, 0),
            version = NEW.version
        WHERE id = NEW.aggregate_id;
    ELSE
        NULL;
    END CASE;
    RETURN NULL;
END
$body$;

CREATE FUNCTION fold_conversation() RETURNS trigger LANGUAGE plpgsql AS $body$
DECLARE
    d JSONB := replace(NEW.event_data, '\u0000', '\ufffd')::JSONB;
BEGIN
    IF NEW.event_type = 'conversation_started' THEN
        INSERT INTO conversation_states (id, requester, started_at, changed_at, version)
        VALUES (NEW.aggregate_id, d ->> 'requester', NEW.timestamp, NEW.timestamp, NEW.version);
        RETURN NULL;
    END IF;
    UPDATE conversation_states SET
        turns = turns + CASE WHEN NEW.event_type = 'turn_taken' THEN 1 ELSE 0 END,
        open_turns = open_turns + CASE NEW.event_type
            WHEN 'turn_taken' THEN 1
            WHEN 'turn_answered' THEN -1
            WHEN 'turn_failed' THEN -1
            ELSE 0
        END,
        last_text = coalesce(d ->> 'text', last_text),
        changed_at = NEW.timestamp,
        version = NEW.version
    WHERE id = NEW.aggregate_id;
    RETURN NULL;
END
$body$;

CREATE FUNCTION fold_dead_letter() RETURNS trigger LANGUAGE plpgsql AS $body$
DECLARE
    d JSONB := replace(NEW.event_data, '\u0000', '\ufffd')::JSONB;
BEGIN
    IF NEW.event_type = 'message_buried' THEN
        INSERT INTO dead_letter_states AS kept (
            id, state, task_id, queue, error_code, error_message, body, burials, buried_at, version
        ) VALUES (
            NEW.aggregate_id, 'buried', d ->> 'task_id', d ->> 'queue', d #>> '{failure,code}',
            d #>> '{failure,message}', d ->> 'body', 1, NEW.timestamp, NEW.version
        )
        ON CONFLICT (id) DO UPDATE SET
            state = 'buried', task_id = excluded.task_id, queue = excluded.queue, error_code = excluded.error_code,
            error_message = excluded.error_message, body = excluded.body, burials = kept.burials + 1,
            buried_at = excluded.buried_at, version = excluded.version;
    ELSIF NEW.event_type = 'message_replayed' THEN
        UPDATE dead_letter_states SET state = 'replayed', replayed_at = NEW.timestamp, version = NEW.version
        WHERE id = NEW.aggregate_id;
    END IF;
    RETURN NULL;
END
$body$;

CREATE TRIGGER task_moved AFTER INSERT ON events FOR EACH ROW
WHEN (NEW.aggregate_type = 'task') EXECUTE FUNCTION fold_task();

CREATE TRIGGER conversation_moved AFTER INSERT ON events FOR EACH ROW
WHEN (NEW.aggregate_type = 'conversation') EXECUTE FUNCTION fold_conversation();

CREATE TRIGGER dead_letter_moved AFTER INSERT ON events FOR EACH ROW
WHEN (NEW.aggregate_type = 'dead_letter') EXECUTE FUNCTION fold_dead_letter();
