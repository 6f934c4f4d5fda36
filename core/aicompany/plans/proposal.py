"""Where a plan comes from: the order itself when that is enough, else the model, whose proposal is checked."""

import json
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aicompany.errors import AnswerInvalid, OrderInvalid
from aicompany.plans.plan import Phase, Plan, PlanSource, Step
from aicompany.ports.model import ModelMessage, TextBlock
from aicompany.spec.agents import AgentSpec
from aicompany.spec.work import PlanningSpec
from aicompany.tasks.complexity import complexity_of
from aicompany.tasks.events import TaskSubmitted
from aicompany.tasks.intake import check_text, title_of
from aicompany.tasks.kind import kind_of
from aicompany.tasks.task import TaskKind

# All fields are required and bounds are left out: the schema must stay within what structured output allows.


class StepProposal(BaseModel):
    """One step, as the model proposes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field(description="A few words.")
    instruction: str = Field(description="Everything the one who carries it out must know.")
    kind: TaskKind = Field(description="What sort of work it is.")
    speciality: str = Field(description="What its agent should be good at, in one or two words; may be empty.")


class PhaseProposal(BaseModel):
    """Steps that may run at the same time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="A few words.")
    steps: list[StepProposal] = Field(description="Steps that do not depend on each other.")


class PlanProposal(BaseModel):
    """The plan, as the model proposes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    phases: list[PhaseProposal] = Field(description="In order; each may use the results of those before.")


class ListedTask(BaseModel):
    """One entry of a prompt that is a JSON list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: str = Field(min_length=1)
    title: str | None = Field(default=None, max_length=200)
    kind: TaskKind | None = None


def plan_without_model(order: TaskSubmitted, policy: PlanningSpec) -> tuple[Plan, PlanSource] | None:
    """The plan that follows from the order itself; `None` when a model has to be asked.

    A JSON list is one phase with a step for each entry; a plain order without files is one step.
    Raises `OrderInvalid` for a list that is too long or has a wrong entry.
    """
    listed = listed_tasks(order.prompt, policy)
    if listed:
        steps = tuple(
            Step(title=task.title or title_of(task.prompt), instruction=task.prompt, kind=task.kind or order.kind)
            for task in listed
        )
        return Plan(phases=(Phase(name="tasks", steps=steps),)), PlanSource.LIST
    complexity = complexity_of(characters=len(order.prompt), kind=order.kind)
    if order.attachments or complexity > policy.plain_complexity_max:
        return None
    step = Step(title=order.title, instruction=order.prompt, kind=order.kind)
    return Plan(phases=(Phase(name="work", steps=(step,)),)), PlanSource.SINGLE_STEP


def listed_tasks(prompt: str, policy: PlanningSpec) -> list[ListedTask]:
    """The entries of a prompt that is a JSON list of texts or objects; empty when it is none."""
    if not prompt.lstrip().startswith("["):
        return []
    try:
        entries = json.loads(prompt)
    except (ValueError, RecursionError):
        # Brackets nested thousands deep are somebody's text, not a list of tasks.
        return []
    if not isinstance(entries, list):
        return []
    if not entries:
        raise OrderInvalid("the list of tasks is empty; put a text or an object into it for each task")
    if len(entries) > policy.steps_max:
        raise OrderInvalid(
            f"the list has {len(entries)} tasks, at most {policy.steps_max} are taken in one order; "
            "split it, or raise spec.planning.stepsMax"
        )
    return [_listed_task(number, entry) for number, entry in enumerate(entries, start=1)]


def _listed_task(number: int, entry: object) -> ListedTask:
    try:
        task = ListedTask.model_validate({"prompt": entry} if isinstance(entry, str) else entry)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        problem = f"{place}: {first['msg']}" if place else first["msg"]
        raise OrderInvalid(
            f"entry {number} of the list is no task ({problem}); write a text, or an object with prompt, title and kind"
        ) from error
    check_text(f"entry {number} of the list", task.prompt)
    return task if task.kind or not isinstance(entry, str) else task.model_copy(update={"kind": kind_of(entry)})


def plan_of(proposal_json: str, policy: PlanningSpec) -> Plan:
    """The plan a model proposed. Raises `AnswerInvalid` with what is wrong, worded so that the model can mend it."""
    try:
        proposal = PlanProposal.model_validate_json(proposal_json)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the answer"
        raise AnswerInvalid(f"the plan is not of the asked shape: {place}: {first['msg']}") from error
    _check(proposal, policy)
    return Plan(phases=tuple(_phase_of(phase) for phase in proposal.phases))


def _check(proposal: PlanProposal, policy: PlanningSpec) -> None:
    phases = len(proposal.phases)
    steps = sum(len(phase.steps) for phase in proposal.phases)
    if not phases:
        raise AnswerInvalid("the plan has no phase")
    if phases > policy.phases_max:
        raise AnswerInvalid(f"the plan has {phases} phases, at most {policy.phases_max} are allowed")
    if steps > policy.steps_max:
        raise AnswerInvalid(f"the plan has {steps} steps, at most {policy.steps_max} are allowed")
    for phase in proposal.phases:
        if not phase.steps:
            raise AnswerInvalid(f"phase “{phase.name}” has no step")
        for step in phase.steps:
            if not step.title.strip() or not step.instruction.strip():
                raise AnswerInvalid(f"a step of phase “{phase.name}” has no title or no instruction")


def _phase_of(phase: PhaseProposal) -> Phase:
    steps = tuple(
        Step(
            title=step.title.strip()[:200],
            instruction=step.instruction,
            kind=step.kind,
            speciality=step.speciality.strip() or None,
        )
        for step in phase.steps
    )
    return Phase(name=phase.name.strip()[:200] or "work", steps=steps)


def planning_system(agents: Sequence[AgentSpec], policy: PlanningSpec) -> str:
    """The system prompt of planning."""
    known = "\n".join(f"- {agent.name}: {', '.join(agent.specialities) or 'anything'}" for agent in agents)
    return (
        "You are the project manager of a company of workers. Split the order into phases; the steps of a phase run "
        "at the same time and do not see each other, a later phase sees the results of all earlier ones. The last "
        "phase brings what the requester gets. Use as few phases and steps as the work needs: "
        f"at most {policy.phases_max} phases and {policy.steps_max} steps. Do not carry anything out yourself.\n\n"
        f"Agents and what they are good at:\n{known}"
    )


def planning_messages(order: TaskSubmitted, rejected: Sequence[tuple[str, str]] = ()) -> tuple[ModelMessage, ...]:
    """The messages of planning; `rejected` holds earlier proposals with what was wrong with them."""
    parts = [f'<order kind="{order.kind.value}">\n{order.prompt}\n</order>']
    parts += [f'<file name="{file.name}">\n{file.content}\n</file>' for file in order.attachments]
    messages = [ModelMessage(role="user", content=tuple(TextBlock(text=part) for part in parts))]
    for proposal, problem in rejected:
        messages.append(ModelMessage(role="assistant", content=(TextBlock(text=proposal),)))
        wish = f"That plan cannot be used: {problem}. Propose it again without that mistake."
        messages.append(ModelMessage(role="user", content=(TextBlock(text=wish),)))
    return tuple(messages)
