"""What people type wrong, and what they get: a sentence, a stable exit code, never a trace."""

import json
import socket
import sqlite3
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
GOOD = "apiVersion: aicompany.io/v1alpha1\nkind: AICompany\nmetadata: {name: acme}\n"


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("a: [", ["line 2, column 1", "no valid YAML"]),
        ("", ["must hold a mapping"]),
        ("- a", ["must hold a mapping"]),
        (GOOD + "spec: {worker: {}}", ["spec.worker (line 4)", "did you mean `workers`?"]),
        (
            GOOD + "spec:\n  workers:\n    task: {max: 0}",
            ["spec.workers.task.max (line 6)", "greater than or equal to 1"],
        ),
        (GOOD + "spec: {workers: {task: {min: 4, max: 2}}}", ["spec.workers.task", "min (4) is more than max (2)"]),
        (GOOD + "spec: {model: {max_tokens: 5}}", ["spec.model.max_tokens", "did you mean `maxTokens`?"]),
        (GOOD + "spec: {agents: [{name: A b, fallback: true}]}", ["spec.agents[0].name", "pattern"]),
        (GOOD + "spec: {agents: [{name: a}]}", ["exactly one agent must have `fallback: true`"]),
        (GOOD + "spec: {model: {provider: gpt}}", ["spec.model.provider", "'auto', 'anthropic' or 'offline'"]),
        (GOOD.replace("AICompany", "Company"), ["kind (line 2)", "'AICompany'"]),
        ("kind: AICompany", ["apiVersion: is missing", "metadata: is missing"]),
        (GOOD + "spec: {gateway: {port: http, host: 3}}", ["2 mistakes", "spec.gateway.port", "spec.gateway.host"]),
    ],
)
def test_check_explains_every_mistake_with_its_place(aicompany, tmp_path, text, sentences):
    path = tmp_path / "company.yaml"
    path.write_text(text)
    done = aicompany("check", path)
    assert done.returncode == 3
    for sentence in sentences:
        assert sentence in done.stderr


def test_check_says_when_all_is_right(aicompany, company):
    done = aicompany("check", company)
    assert (done.returncode, "is right" in done.stdout) == (0, True)
    assert json.loads(aicompany("check", company, "-o", "json").stdout)["metadata"]["name"] == "acme"


def test_check_of_the_examples(aicompany):
    for path in (ROOT / "examples").glob("*.yaml"):
        assert aicompany("check", path).returncode == 0


def test_overrides_are_taken_and_wrong_ones_explained(aicompany, company):
    shown = aicompany("check", company, "-o", "json", environment={"AICOMPANY_WORKERS__TASK__MAX": "7"})
    assert json.loads(shown.stdout)["spec"]["workers"]["task"]["max"] == 7
    wrong = aicompany("check", company, environment={"AICOMPANY_WORKERS__TASK__MAXX": "7"})
    assert (wrong.returncode, "AICOMPANY_WORKERS__TASK__MAX?" in wrong.stderr) == (3, True)


def test_a_file_that_is_not_there_or_no_text(aicompany, tmp_path):
    assert aicompany("check", tmp_path / "none.yaml").returncode == 3
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    done = aicompany("check", tmp_path / "binary.yaml")
    assert (done.returncode, "not UTF-8" in done.stderr) == (3, True)


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ("prompt: ''", "prompt (line 1)"),
        ("promt: x", "did you mean `prompt`?"),
        ("prompt: x\nfiles: [none.md]", "cannot be read"),
        ("prompt: x\nfiles: [binary.bin]", "not text"),
        ("prompt: x\npriority: soon", "'critical'"),
    ],
)
def test_a_wrong_order_file_is_explained_before_anything_starts(aicompany, tmp_path, company, order, words):
    (tmp_path / "binary.bin").write_bytes(bytes(range(256)))
    (tmp_path / "order.yaml").write_text(order)
    done = aicompany("run", company, tmp_path / "order.yaml", "--state", tmp_path / "s")
    assert (done.returncode, words in done.stderr) == (3, True), done.stderr
    assert not (tmp_path / "s").exists()


def test_a_prompt_of_ten_megabytes_and_a_binary_file_are_refused(aicompany, tmp_path, company):
    (tmp_path / "order.yaml").write_text("prompt: " + "x" * 10_000_000)
    done = aicompany("run", company, tmp_path / "order.yaml", "--state", tmp_path / "s")
    assert done.returncode == 3
    assert "10,000,000 bytes, at most 262,144 are taken" in done.stderr
    assert not (tmp_path / "s").exists()
    (tmp_path / "binary.bin").write_bytes(bytes(range(256)))
    done = aicompany("order", "x", "--file", tmp_path / "binary.bin")
    assert (done.returncode, "attach text files only" in done.stderr) == (3, True)


def test_commands_without_a_company_say_how_to_start_one(aicompany, tmp_path):
    for words in (["order", "x"], ["tasks"], ["status"], ["talk"], ["task", "x"], ["dead", "list"], ["cancel", "x"]):
        done = aicompany(*words)
        assert (done.returncode, "aicompany up" in done.stderr) == (5, True)
    done = aicompany("order", "x", "--url", "http://127.0.0.1:9")
    assert (done.returncode, "does not answer" in done.stderr) == (5, True)


def test_a_company_that_does_not_run_can_be_looked_at_but_not_changed(aicompany, tmp_path, company):
    (tmp_path / "order.yaml").write_text("prompt: Say hello")
    ran = aicompany("run", company, tmp_path / "order.yaml")
    assert (ran.returncode, "Offline" in ran.stdout) == (0, True)
    (task,) = json.loads(aicompany("tasks", "-o", "json").stdout)
    assert task["state"] == "completed"
    for output in ("table", "json", "yaml"):
        shown = aicompany("task", task["id"], "-o", output)
        assert (shown.returncode, "result_delivered" in shown.stdout) == (0, True)
        assert aicompany("status", "-o", output).returncode == 0
    assert aicompany("task", "nope").returncode == 4
    assert aicompany("dead", "show", "nope").returncode == 4
    assert aicompany("dead", "replay", "nope").returncode == 5
    assert aicompany("dead", "replay").returncode == 2
    done = aicompany("order", "x")
    assert (done.returncode, "does not run" in done.stderr) == (5, True)


def test_a_port_in_use_names_the_port(aicompany, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        (tmp_path / "company.yaml").write_text(GOOD + f"spec: {{gateway: {{port: {port}}}}}\n")
        done = aicompany("up", tmp_path / "company.yaml", "--state", tmp_path / "s")
    assert (done.returncode, f"port {port} for the gateway is in use" in done.stderr) == (7, True)


def test_state_directories_that_cannot_be_used(aicompany, tmp_path, company):
    (tmp_path / "file").write_text("x")
    done = aicompany("up", company, "--state", tmp_path / "file" / "below")
    assert (done.returncode, "state directory" in done.stderr) == (6, True)
    done = aicompany("up", company, "--state", "/proc/nowhere")
    assert (done.returncode, "choose another with --state" in done.stderr) == (6, True)

    (tmp_path / "garbage").mkdir()
    (tmp_path / "garbage" / "company.db").write_bytes(b"this is no database at all" * 100)
    done = aicompany("up", company, "--state", tmp_path / "garbage")
    assert (done.returncode, "no database of a company" in done.stderr) == (6, True)


def test_a_state_file_of_a_newer_version_is_left_alone(aicompany, tmp_path, company):
    (tmp_path / "order.yaml").write_text("prompt: Say hello")
    assert aicompany("run", company, tmp_path / "order.yaml", "--state", tmp_path / "s").returncode == 0
    connection = sqlite3.connect(tmp_path / "s" / "company.db")
    connection.execute(
        "INSERT INTO _yoyo_migration (migration_hash, migration_id, applied_at_utc) VALUES ('h', '9999_future', '2030')"
    )
    connection.commit()
    connection.close()
    for words in (["up", company], ["tasks"]):
        done = aicompany(*words, "--state", tmp_path / "s")
        assert (done.returncode, "newer version" in done.stderr) == (6, True), done.stderr


def test_claude_without_a_key_says_what_to_set(aicompany, tmp_path):
    (tmp_path / "company.yaml").write_text(GOOD + "spec: {model: {provider: anthropic}, gateway: {port: 0}}\n")
    done = aicompany("up", tmp_path / "company.yaml", "--state", tmp_path / "s")
    assert (done.returncode, "ANTHROPIC_API_KEY" in done.stderr) == (9, True)
    (tmp_path / "company.yaml").write_text(GOOD + "spec: {model: {apiKeyFile: none}, gateway: {port: 0}}\n")
    done = aicompany("up", tmp_path / "company.yaml", "--state", tmp_path / "s")
    assert (done.returncode, "apiKeyFile" in done.stderr) == (9, True)


@pytest.mark.parametrize(
    "words", [["nonsense"], ["order"], ["tasks", "--limit", "0"], ["order", "x", "--priority", "soon"]]
)
def test_wrong_words_are_usage_errors(aicompany, words):
    assert aicompany(*words).returncode == 2


def test_every_command_has_help(aicompany):
    listed = aicompany("--help").stdout
    for name in ("run", "up", "order", "tasks", "task", "cancel", "talk", "dead", "status", "check"):
        assert name in listed
        assert aicompany(name, "--help").returncode == 0
