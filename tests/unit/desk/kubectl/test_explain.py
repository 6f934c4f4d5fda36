"""Why a task is where it is."""

import pytest

from aicompany_desk.cluster.company import CompanyThere
from aicompany_desk.kubectl.explain import why_of

GROUPS = [
    {"name": "pm", "role": "pm", "desired": 1, "ready": 1, "queued": 3},
    {"name": "task.writer", "role": "task", "agent": "writer", "desired": 2, "ready": 0, "queued": 7},
    {"name": "task.generalist", "role": "task", "agent": "generalist", "desired": 2, "ready": 2},
]


def company(*groups):
    return CompanyThere("default", "acme", {"status": {"groups": list(groups)}})


def task(state="running", **fields):
    return {"state": state, "ended_at": None, "error_message": None, "agent": None, "steps": [], **fields}


def step(agent, state="submitted"):
    return {"state": state, "agent": agent}


def test_what_was_not_planned_yet_waits_for_the_pm():
    assert why_of(task("submitted"), company(*GROUPS)) == (
        "It is submitted. 1 of 1 workers of pm are ready; 3 messages wait for them."
    )


def test_steps_wait_for_their_agents_and_ended_ones_for_nobody():
    told = why_of(task(steps=[step("writer"), step("generalist"), step("gone", "completed")]), company(*GROUPS))
    assert "No worker of task.writer is ready (2 should be)" in told
    assert "2 of 2 workers of task.generalist are ready; how many messages wait is unknown" in told
    assert "gone" not in told


def test_a_step_by_itself_waits_for_its_agent():
    assert "task.writer" in why_of(task("submitted", agent="writer"), company(*GROUPS))


@pytest.mark.parametrize("there", [CompanyThere("default", "acme", {}), company()])
def test_a_status_without_groups_is_unknown_and_not_zero(there):
    assert why_of(task("submitted"), there) == "It is submitted. Nobody of pm is known."


def test_what_ended_says_when_and_why():
    at = "2026-01-02T03:04:05+00:00"
    assert why_of(task("completed", ended_at=at), company(*GROUPS)) == f"It completed at {at}."
    assert why_of(task("failed", ended_at=at, error_message="no key"), company()) == f"It failed at {at}: no key"
