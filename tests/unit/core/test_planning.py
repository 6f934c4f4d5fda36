"""Where plans come from and who gets their steps."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aicompany.agents.assign import assign_step
from aicompany.errors import AnswerInvalid, OrderInvalid
from aicompany.messaging.lanes import Lane
from aicompany.plans.plan import Plan, PlanSource, Step
from aicompany.plans.proposal import PlanProposal, plan_of, plan_without_model, planning_messages, planning_system
from aicompany.spec.agents import AgentSpec
from aicompany.spec.work import PlanningSpec
from aicompany.tasks.events import TaskSubmitted
from aicompany.tasks.task import Attachment, TaskKind

POLICY = PlanningSpec(phases_max=3, steps_max=5)


def order(prompt, kind=TaskKind.WRITING, attachments=()):
    return TaskSubmitted(
        title="t", prompt=prompt, kind=kind, lane=Lane.NORMAL, lane_reason="r", attachments=attachments
    )


def test_a_plain_order_is_one_step():
    planned = plan_without_model(order("say hi"), POLICY)
    assert planned is not None
    plan, source = planned
    assert (plan.step_count, source) == (1, PlanSource.SINGLE_STEP)


@pytest.mark.parametrize(
    "submitted",
    [
        order("x" * 501),
        order("short", TaskKind.CODE),
        order("short", attachments=(Attachment(name="a.md", content="x"),)),
    ],
)
def test_what_is_more_complex_asks_the_model(submitted):
    assert plan_without_model(submitted, POLICY) is None


def test_a_list_is_many_steps_in_one_phase():
    planned = plan_without_model(order('["a", {"prompt": "b", "kind": "code", "title": "B"}]'), POLICY)
    assert planned is not None
    (phase,) = planned[0].phases
    assert [(s.title, s.instruction, s.kind) for s in phase.steps] == [
        ("a", "a", TaskKind.QUESTION), ("B", "b", TaskKind.CODE),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        (json.dumps(["x"] * 6), "6 tasks, at most 5"),
        ("[]", "the list of tasks is empty"),
        ('["a", 7]', "entry 2"),
        ('[{"promt": "a"}]', "entry 1"),
        ('["a", ""]', "entry 2"),
        ('["a", " "]', "entry 2 of the list is empty"),
        (r'["\u0000"]', "entry 1 of the list is not text"),
        (r'["\ud800"]', "entry 1 .*unicode"),
        (r'[{"prompt": "a", "title": "\ud800"}]', "entry 1 .*title: .*unicode"),
    ],
)
def test_a_wrong_list_is_refused_with_the_entry(prompt, words):
    with pytest.raises(OrderInvalid, match=words):
        plan_without_model(order(prompt), POLICY)


@given(st.text())
def test_text_that_only_looks_like_a_list_is_a_plain_prompt(text):
    try:
        plan_without_model(order("[" + text), POLICY)
    except OrderInvalid:
        assert isinstance(json.loads("[" + text), list)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["prompt", "title", "kind", "x"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.lists(json_values, min_size=1, max_size=8))
def test_every_list_is_a_plan_that_can_be_stored_or_is_refused(entries):
    try:
        planned = plan_without_model(order(json.dumps(entries)), POLICY)
    except OrderInvalid:
        return
    assert planned is not None
    plan, source = planned
    assert (source, plan.step_count) == (PlanSource.LIST, len(entries))
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


def test_brackets_without_end_are_text():
    planned = plan_without_model(order("[" * 200_000), PlanningSpec(plain_complexity_max=9))
    assert planned is not None
    assert planned[1] is PlanSource.SINGLE_STEP


@given(st.text() | json_values.map(json.dumps))
def test_whatever_a_model_proposes_is_a_plan_or_an_answer_with_a_mistake(text):
    with pytest.raises(AnswerInvalid):
        plan_of(text, POLICY)


@given(st.lists(st.integers(0, 4), max_size=5))
def test_a_proposal_is_a_plan_exactly_when_it_keeps_the_limits(sizes):
    fits = 1 <= len(sizes) <= POLICY.phases_max and sum(sizes) <= POLICY.steps_max and all(sizes)
    try:
        plan = plan_of(proposal(*sizes), POLICY)
    except AnswerInvalid:
        assert not fits
    else:
        assert fits
        assert [len(phase.steps) for phase in plan.phases] == sizes


def test_planning_is_told_the_agents_the_limits_the_files_and_what_was_wrong_before():
    system = planning_system(AGENTS, POLICY)
    assert "- writer: writing, documentation" in system
    assert "- any: anything" in system
    assert "at most 3 phases and 5 steps" in system
    submitted = order("all of it", attachments=(Attachment(name="a.md", content="words"),))
    asked, proposed, wish = planning_messages(submitted, rejected=[("{}", "it has no phase")])
    assert [block.text for block in asked.content] == [
        '<order kind="writing">\nall of it\n</order>', '<file name="a.md">\nwords\n</file>',
    ]  # fmt: skip
    assert (proposed.role, proposed.content[0].text) == ("assistant", "{}")
    assert (wish.role, "it has no phase" in wish.content[0].text) == ("user", True)


def proposal(*sizes, title="t"):
    step = {"title": title, "instruction": "i", "kind": "writing", "speciality": ""}
    return json.dumps({"phases": [{"name": "n", "steps": [step] * size} for size in sizes]})


def test_a_proposal_becomes_a_plan():
    assert [len(phase.steps) for phase in plan_of(proposal(2, 1), POLICY).phases] == [2, 1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no json", "shape"),
        ("{}", "phases"),
        (proposal(), "no phase"),
        (proposal(1, 1, 1, 1), "4 phases, at most 3"),
        (proposal(3, 3), "6 steps, at most 5"),
        (proposal(0), "no step"),
        (proposal(1, title=" "), "no title"),
    ],
)
def test_a_wrong_proposal_says_what_is_wrong(text, words):
    with pytest.raises(AnswerInvalid, match=words):
        plan_of(text, POLICY)


def test_the_schema_keeps_within_what_structured_output_allows():
    def check(node):
        if isinstance(node, dict):
            if node.get("type") == "object":
                assert node["additionalProperties"] is False
                assert set(node["required"]) == set(node["properties"])
            assert not {"minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems"} & node.keys()
            for part in node.values():
                check(part)
        elif isinstance(node, list):
            for part in node:
                check(part)

    check(PlanProposal.model_json_schema())


AGENTS = (
    AgentSpec(name="writer", specialities=("writing", "documentation")),
    AgentSpec(name="coder", specialities=("code", "python")),
    AgentSpec(name="translator", specialities=("Übersetzung",)),
    AgentSpec(name="any", fallback=True),
)


@pytest.mark.parametrize(
    ("step", "agent"),
    [
        (Step(title="t", instruction="i", kind=TaskKind.CODE), "coder"),
        (Step(title="t", instruction="i", kind=TaskKind.CODE, speciality="documentation"), "writer"),
        (Step(title="t", instruction="i", kind=TaskKind.CODE, agent="any"), "any"),
        (Step(title="t", instruction="i", kind=TaskKind.CODE, agent="gone", speciality="gardening"), "any"),
        (Step(title="t", instruction="i", kind=TaskKind.OPERATIONS), "any"),
        (Step(title="t", instruction="i", kind=TaskKind.CODE, speciality="ÜBERSETZUNG"), "translator"),
        (Step(title="t", instruction="i", kind=TaskKind.CODE, speciality="Bersetzung"), "any"),
    ],
)
def test_a_step_goes_to_the_agent_that_fits(step, agent):
    assigned = assign_step(step, AGENTS)
    assert assigned.agent == agent
    assert assigned.reason
