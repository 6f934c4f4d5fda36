"""The `AICompany` resource: the same file is for `kubectl apply` and for one machine."""

from typing import Literal

from pydantic import Field, field_validator

from aicompany.spec.agents import DEFAULT_AGENTS, AgentSpec
from aicompany.spec.edges import GatewaySpec, HealthSpec, LoggingSpec
from aicompany.spec.model import ModelSpec
from aicompany.spec.overload import OverloadSpec
from aicompany.spec.pods import PodsSpec
from aicompany.spec.scaling import ScalingSpec
from aicompany.spec.section import Section
from aicompany.spec.servers import BrokerSpec, CacheSpec, LimitsSpec, StoreSpec
from aicompany.spec.work import BreakersSpec, OrdersSpec, PlanningSpec, QueuesSpec, RetrySpec
from aicompany.spec.workers import WorkersSpec


class CompanySpec(Section):
    """What the company should be."""

    model: ModelSpec = Field(default=ModelSpec(), description="Which model answers.")
    agents: tuple[AgentSpec, ...] = Field(
        default=DEFAULT_AGENTS, min_length=1, max_length=100, description="Specialists of the task role."
    )
    workers: WorkersSpec = Field(default=WorkersSpec(), description="How many workers of each role.")
    orders: OrdersSpec = Field(default=OrdersSpec(), description="What is accepted.")
    planning: PlanningSpec = Field(default=PlanningSpec(), description="How orders are split.")
    queues: QueuesSpec = Field(default=QueuesSpec(), description="Limits of every queue.")
    retry: RetrySpec = Field(default=RetrySpec(), description="Trying again.")
    breakers: BreakersSpec = Field(default=BreakersSpec(), description="Leaving alone what does not answer.")
    limits: LimitsSpec = Field(default=LimitsSpec(), description="What the model's service allows.")
    scaling: ScalingSpec = Field(default=ScalingSpec(), description="More and fewer workers.")
    overload: OverloadSpec = Field(default=OverloadSpec(), description="What is given up under too much work.")
    gateway: GatewaySpec = Field(default=GatewaySpec(), description="The HTTP door.")
    health: HealthSpec = Field(default=HealthSpec(), description="Health and metrics of the workers.")
    broker: BrokerSpec = Field(default=BrokerSpec(), description="The broker.")
    store: StoreSpec = Field(default=StoreSpec(), description="The event store.")
    cache: CacheSpec = Field(default=CacheSpec(), description="Kept answers of the model.")
    logging: LoggingSpec = Field(default=LoggingSpec(), description="Logs.")
    paused: bool = Field(
        default=False,
        description="In a cluster: the operator changes nothing any more, also when something is missing or broken.",
    )
    hibernated: bool = Field(
        default=False,
        description="In a cluster: no pod runs; queues, events and results are kept until this is false again.",
    )
    pods: PodsSpec = Field(default=PodsSpec(), description="How the pods are made in a cluster.")

    @field_validator("agents")
    @classmethod
    def _one_fallback_and_unique_names(cls, agents: tuple[AgentSpec, ...]) -> tuple[AgentSpec, ...]:
        names = [agent.name for agent in agents]
        doubles = sorted({name for name in names if names.count(name) > 1})
        if doubles:
            raise ValueError(f"two agents are called {doubles[0]}; every agent needs a name of its own")
        fallbacks = [agent.name for agent in agents if agent.fallback]
        if len(fallbacks) != 1:
            found = "none has" if not fallbacks else f"{', '.join(fallbacks)} have"
            raise ValueError(f"exactly one agent must have `fallback: true`, {found}")
        return agents

    @property
    def fallback_agent(self) -> AgentSpec:
        """The agent that takes what fits no other."""
        return next(agent for agent in self.agents if agent.fallback)

    def agent(self, name: str) -> AgentSpec:
        """The agent of this name; the fallback agent when there is none any more."""
        return next((agent for agent in self.agents if agent.name == name), self.fallback_agent)


class Metadata(Section):
    """Name and labels."""

    name: str = Field(
        pattern=r"^[a-z]([a-z0-9-]{0,51}[a-z0-9])?$",
        description="Name of the company: lower case letters, digits and dashes, beginning with a letter, at most 53.",
    )
    namespace: str | None = Field(default=None, description="Kubernetes namespace; means nothing on one machine.")
    labels: dict[str, str] = Field(default_factory=dict, description="Labels; mean nothing on one machine.")
    annotations: dict[str, str] = Field(default_factory=dict, description="Annotations; mean nothing on one machine.")


class AICompany(Section):
    """One company."""

    api_version: Literal["aicompany.io/v1alpha1"] = Field(description="Always `aicompany.io/v1alpha1`.")
    kind: Literal["AICompany"] = Field(description="Always `AICompany`.")
    metadata: Metadata = Field(description="Name and labels.")
    spec: CompanySpec = Field(default=CompanySpec(), description="What the company should be.")
