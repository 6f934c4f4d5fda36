"""Which agent gets a step: the one named, else the one whose specialities fit best, else the fallback agent."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from aicompany.plans.plan import Step
from aicompany.spec.agents import AgentSpec


@dataclass(frozen=True, slots=True)
class Assignment:
    """The agent and why."""

    agent: str
    reason: str


def assign_step(step: Step, agents: Sequence[AgentSpec]) -> Assignment:
    """The agent for the step. `agents` has exactly one fallback agent; ties go to the one listed first."""
    names = {agent.name for agent in agents}
    if step.agent in names:
        return Assignment(step.agent, "the plan names it")
    wanted = _words(step.speciality or "") or {step.kind.value}
    scored = [(_fit(agent, wanted, step), agent) for agent in agents]
    best, agent = max(scored, key=lambda entry: entry[0])
    if best > 0:
        return Assignment(agent.name, f"its specialities fit “{' '.join(sorted(wanted))}”")
    fallback = next(agent for agent in agents if agent.fallback)
    return Assignment(fallback.name, "no agent's specialities fit, so the fallback agent takes it")


def _fit(agent: AgentSpec, wanted: set[str], step: Step) -> int:
    """Ten for each word of the wanted speciality, one for each of the title's that the agent knows."""
    known = {word for speciality in agent.specialities for word in _words(speciality)}
    exact = 10 * len(known & wanted)
    return exact + len(known & _words(step.title)) if exact or not step.speciality else exact


def _words(text: str) -> set[str]:
    return set(re.findall(r"[^\W_]+", text.casefold()))
