"""The predecessor's databases are taken over whole, once, with a backup first."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = str(Path(sys.executable).with_name("aicompany"))
MESSAGES = [
    ("s1", "user", "Good morning", "2024-01-01T10:00:00"),
    ("s1", "assistant", "Good morning to you", "2024-01-01T10:00:01"),
    ("s1", "user", "Nobody answered this", None),
    ("s2", "assistant", "I speak first", "not a date"),
    (None, "user", "No session \x00 at all", "2024-01-02"),
    ("s1", "user", "Later", "2024-01-03"),
    ("s1", "bot", "Later it is", "2024-01-03"),
]
TASKS = [
    (1, "Write a poem", "completed", "Roses are red", None, "2024-01-01"),
    (2, "Fail at this", "failed", None, "it broke", "2024-01-01"),
    (3, "Never ended", "in_progress", None, None, "2024-01-01"),
    (4, None, "DONE", "a result without a prompt", None, None),
    (5, "Status unknown", None, "but a result", None, "broken date"),
]


@pytest.fixture
def sources(tmp_path):
    conversations, tasks = tmp_path / "conversations.db", tmp_path / "task_history.db"
    with sqlite3.connect(conversations) as connection:
        connection.execute("CREATE TABLE conversations (id INTEGER PRIMARY KEY, session_id, role, content, timestamp)")
        connection.executemany(
            "INSERT INTO conversations (session_id, role, content, timestamp) VALUES (?, ?, ?, ?)", MESSAGES
        )
    connection.close()
    with sqlite3.connect(tasks) as connection:
        connection.execute("CREATE TABLE task_history (id, description, status, result, error, created_at)")
        connection.executemany("INSERT INTO task_history VALUES (?, ?, ?, ?, ?, ?)", TASKS)
    connection.close()
    return conversations, tasks


def run(*arguments, **environment):
    return subprocess.run(
        [PROGRAM, *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
    )


def counts(done, what):
    (line,) = [line for line in done.stdout.splitlines() if line.startswith(what)]
    return [int(number) for number in line.split()[1:]]


def test_everything_is_there_once_also_when_it_is_imported_twice(sources, tmp_path):
    state = tmp_path / "state"
    first = run("import-legacy", *sources, "--state", state)
    assert first.returncode == 0, first.stderr
    assert counts(first, "conversations") == [3, 3, 0, 3, 3, 0]
    assert counts(first, "tasks") == [5, 5, 0, 5, 5, 0]
    second = run("import-legacy", *sources, "--state", state)
    assert second.returncode == 0, second.stderr
    assert counts(second, "conversations") == [3, 0, 3, 3, 3, 0]
    assert counts(second, "tasks") == [5, 0, 5, 5, 5, 0]
    tasks = json.loads(run("tasks", "-o", "json", "--state", state).stdout)
    by_prompt = {task["title"]: task for task in tasks}
    assert {title: task["state"] for title, task in by_prompt.items()} == {
        "Write a poem": "completed",
        "Fail at this": "failed",
        "Never ended": "cancelled",
        "(not recorded)": "completed",
        "Status unknown": "completed",
    }
    shown = json.loads(run("task", by_prompt["Write a poem"]["id"], "-o", "json", "--state", state).stdout)
    assert shown["result"] == "Roses are red"


def test_backups_are_made_before_anything_is_changed(sources, tmp_path):
    state = tmp_path / "state"
    run("import-legacy", *sources, "--state", state)
    again = run("import-legacy", *sources, "--state", state)
    (line,) = [line for line in again.stdout.splitlines() if line.startswith("backups are in")]
    backup = Path(line.removeprefix("backups are in "))
    assert {"conversations.db", "task_history.db", "before-company.db"} <= {path.name for path in backup.iterdir()}
    connection = sqlite3.connect(backup / "task_history.db")
    assert connection.execute("SELECT count(*) FROM task_history").fetchone() == (len(TASKS),)
    connection.close()


def test_imported_orders_are_neither_run_nor_delivered(sources, tmp_path):
    state = tmp_path / "state"
    run("import-legacy", *sources, "--state", state)
    company = tmp_path / "company.yaml"
    company.write_text(
        json.dumps({"apiVersion": "aicompany.io/v1alpha1", "kind": "AICompany", "metadata": {"name": "a"}, "spec": {}})
    )
    order = tmp_path / "order.yaml"
    order.write_text("prompt: Say hello")
    done = run("run", company, order, "--state", state)
    assert done.returncode == 0, done.stderr
    assert len((state / "notices.jsonl").read_text().splitlines()) == 1
    assert len(list((state / "results").glob("*.md"))) == 1


def test_a_dry_run_shows_what_was_recognised_and_changes_nothing(sources, tmp_path):
    state = tmp_path / "state"
    done = run("import-legacy", *sources, "--dry-run", "--state", state)
    assert done.returncode == 0
    assert "3 conversations in table conversations (conversation: session_id, role: role, text: content" in done.stdout
    assert "5 tasks in table task_history" in done.stdout
    assert not state.exists()


def test_what_is_not_recognised_is_told_with_everything_that_was_found(sources, tmp_path):
    odd = tmp_path / "odd.db"
    with sqlite3.connect(odd) as connection:
        connection.execute("CREATE TABLE things (colour, size)")
    connection.close()
    done = run("import-legacy", sources[0], odd, "--state", tmp_path / "state")
    assert done.returncode == 3
    assert "things (colour, size)" in done.stderr
    assert "Nothing was imported" in done.stderr
    assert not (tmp_path / "state").exists()


def test_what_is_no_database_is_told(sources, tmp_path):
    text = tmp_path / "text.db"
    text.write_text("this is no database, but it is long enough to look at" * 10)
    done = run("import-legacy", text, sources[1], "--state", tmp_path / "state")
    assert (done.returncode, "cannot be read as an SQLite database" in done.stderr) == (3, True)
    missing = run("import-legacy", tmp_path / "nowhere.db", sources[1], "--state", tmp_path / "state")
    assert (missing.returncode, "is no file" in missing.stderr) == (3, True)


def test_each_row_is_a_task_also_when_ids_are_missing_or_repeated(sources, tmp_path):
    odd = tmp_path / "odd.db"
    rows = [(1, "one"), (1, "the same id"), (None, "no id, in row 3"), (3, "id 3"), ("1", "the same id as text")]
    with sqlite3.connect(odd) as connection:
        connection.execute("CREATE TABLE tasks (id, prompt)")
        connection.executemany("INSERT INTO tasks VALUES (?, ?)", rows)
    connection.close()
    state = tmp_path / "state"
    for added in (5, 0):
        done = run("import-legacy", sources[0], odd, "--state", state)
        assert done.returncode == 0, done.stderr
        assert counts(done, "tasks") == [5, added, 5 - added, 5, 5, 0]
    tasks = json.loads(run("tasks", "-o", "json", "--state", state).stdout)
    assert sorted(task["title"] for task in tasks) == sorted(prompt for _, prompt in rows)


def test_a_conversation_and_a_task_of_the_same_table_and_id_are_two(tmp_path):
    talk, work = tmp_path / "talk.db", tmp_path / "work.db"
    with sqlite3.connect(talk) as connection:
        connection.execute("CREATE TABLE history (session_id, role, content)")
        connection.execute("INSERT INTO history VALUES ('1', 'user', 'hello')")
    connection.close()
    with sqlite3.connect(work) as connection:
        connection.execute("CREATE TABLE history (id, prompt)")
        connection.execute("INSERT INTO history VALUES (1, 'work')")
    connection.close()
    done = run("import-legacy", talk, work, "--state", tmp_path / "state")
    assert done.returncode == 0, done.stderr
    assert counts(done, "tasks") == [1, 1, 0, 1, 1, 0]


def test_a_source_that_somebody_has_locked_is_told_and_nothing_is_made(sources, tmp_path):
    holder = sqlite3.connect(sources[1], isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        done = run("import-legacy", *sources, "--state", tmp_path / "state")
    finally:
        holder.close()
    assert (done.returncode, "database is locked" in done.stderr) == (3, True)
    assert not (tmp_path / "state").exists()


def test_what_differs_from_the_source_is_counted_and_ends_with_an_error(sources, tmp_path):
    state = tmp_path / "state"
    assert run("import-legacy", *sources, "--state", state).returncode == 0
    with sqlite3.connect(sources[1]) as connection:
        connection.execute("UPDATE task_history SET description = 'altered' WHERE id = 1")
    connection.close()
    done = run("import-legacy", *sources, "--state", state)
    assert done.returncode != 0
    assert counts(done, "tasks") == [5, 0, 5, 5, 5, 1]
    assert "not everything is as it was" in done.stderr


def test_questions_and_answers_in_one_row_are_turns_too(sources, tmp_path):
    exchanges = tmp_path / "exchanges.db"
    with sqlite3.connect(exchanges) as connection:
        connection.execute("CREATE TABLE conversation_history (user_id, user_message, assistant_response)")
        connection.executemany(
            "INSERT INTO conversation_history VALUES (?, ?, ?)", [("u", "one?", "one!"), ("u", "two?", "two!")]
        )
    connection.close()
    done = run("import-legacy", exchanges, sources[1], "--state", tmp_path / "state")
    assert counts(done, "conversations") == [1, 1, 0, 1, 1, 0]


def test_into_postgresql_with_a_dump_first(sources, tmp_path, postgres_url):
    company = tmp_path / "company.yaml"
    spec = {"store": {"url": postgres_url}}
    company.write_text(
        json.dumps(
            {"apiVersion": "aicompany.io/v1alpha1", "kind": "AICompany", "metadata": {"name": "a"}, "spec": spec}
        )
    )
    state = tmp_path / "state"
    options = ("--company-file", company, "--state", state)
    if shutil.which("pg_dump") is None:
        refused = run("import-legacy", *sources, *options)
        assert (refused.returncode, "pg_dump is not here" in refused.stderr) == (3, True)
        options = (*options, "--no-backup")
    for added in (5, 0):
        done = run("import-legacy", *sources, *options)
        assert done.returncode == 0, done.stderr
        assert counts(done, "tasks") == [5, added, 5 - added, 5, 5, 0]
    if shutil.which("pg_dump"):
        dumps = list(state.glob("backups/*/store.dump"))
        assert dumps
        assert all(dump.stat().st_size for dump in dumps)
        assert not list(state.glob("backups/*/service.conf")), "no address with a password is left behind"
