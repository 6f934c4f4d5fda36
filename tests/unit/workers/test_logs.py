"""Log lines: their shape, secrets kept out by not logging them, rotation by size."""

import json
import logging

import pytest
import structlog

from aicompany.spec.edges import LoggingSpec
from aicompany_workers.telemetry.logs import write_logs_to_file


@pytest.fixture
def log_file(tmp_path):
    path = tmp_path / "logs" / "company.jsonl"
    write_logs_to_file(path, LoggingSpec(file_bytes_max=65_536, files_max=2))
    yield path
    for handler in logging.getLogger().handlers[:]:
        if getattr(handler, "baseFilename", None) == str(path):
            logging.getLogger().removeHandler(handler)
            handler.close()


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_line_has_the_designed_shape(log_file):
    log = structlog.get_logger()
    with structlog.contextvars.bound_contextvars(worker="task-1", task_id="t", trace_id="abc"):
        log.info("step.completed", duration=1.5, tokens_used=7, files_created=["a"])
    (line,) = lines_of(log_file)
    assert line["timestamp"].endswith("Z")
    del line["timestamp"]
    assert line == {
        "level": "info",
        "worker": "task-1",
        "task_id": "t",
        "message": "step.completed",
        "duration": 1.5,
        "trace_id": "abc",
        "metadata": {"tokens_used": 7, "files_created": ["a"]},
    }


def test_lines_of_other_libraries_have_it_too(log_file):
    logging.getLogger("some.library").warning("careful with %s", "this")
    assert lines_of(log_file)[0]["message"] == "careful with this"


def test_files_are_rotated_and_old_ones_dropped(log_file):
    for number in range(3000):
        logging.getLogger("filler").warning("line %s of a log that is longer than the file may be", number)
    kept = sorted(path.name for path in log_file.parent.iterdir())
    assert kept == ["company.jsonl", "company.jsonl.1", "company.jsonl.2"]
    assert all(path.stat().st_size <= 65_536 for path in log_file.parent.iterdir())
