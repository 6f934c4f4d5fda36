"""The static rules of the specification, in CEL: what pydantic's validators say, said by the API server at apply.

Each rule stands with the model whose section it is written into; a model with a validator and no entry here fails a
test. Where a field has no default in the schema its absence is asked for with `has`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from aicompany.spec.company import CompanySpec
from aicompany.spec.edges import GatewaySpec
from aicompany.spec.model import ModelSpec
from aicompany.spec.pods import Toleration
from aicompany.spec.scaling import ScalingSpec
from aicompany.spec.servers import BrokerSpec, CacheSpec, StoreSpec
from aicompany.spec.workers import WorkerSpec


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: the CEL expression that must hold, and the sentence for when it does not."""

    holds: str
    message: str

    def as_schema(self) -> dict[str, str]:
        """As an entry of `x-kubernetes-validations`."""
        return {"rule": self.holds, "message": self.message}


def _at_most_one(one: str, other: str) -> Rule:
    return Rule(f"!(has(self.{one}) && has(self.{other}))", f"{one} and {other} are both set; keep one of them")


_ADDRESS = _at_most_one("url", "urlSecret")

RULES: Mapping[type[BaseModel], tuple[Rule, ...]] = {
    CompanySpec: (
        Rule(
            "!has(self.agents) || self.agents.filter(agent, has(agent.fallback) && agent.fallback).size() == 1",
            "exactly one agent must have `fallback: true`; mark one, and only one",
        ),
    ),
    WorkerSpec: (
        Rule(
            "!has(self.min) || !has(self.max) || self.min <= self.max", "min is more than max; lower min or raise max"
        ),
    ),
    # queuePerWorkerMax has no default in the schema: who sets only the beginning, above the usual end, wants a fixed
    # threshold, and a default would make that wrong.
    ScalingSpec: (
        Rule(
            "!has(self.queuePerWorkerMax) || !has(self.queuePerWorker) || self.queuePerWorker <= self.queuePerWorkerMax",
            "queuePerWorker is more than queuePerWorkerMax; lower the one or raise the other",
        ),
    ),
    ModelSpec: (_at_most_one("apiKeyFile", "apiKeySecret"),),
    BrokerSpec: (_ADDRESS,),
    StoreSpec: (_ADDRESS,),
    CacheSpec: (_ADDRESS,),
    GatewaySpec: (_at_most_one("tokenFile", "tokenSecret"),),
    Toleration: (
        Rule(
            "has(self.key) || (has(self.operator) && self.operator == 'Exists')",
            "a toleration without a key needs `operator: Exists`",
        ),
        Rule(
            "!has(self.value) || !has(self.operator) || self.operator == 'Equal'",
            "`operator: Exists` takes no value; take it out",
        ),
    ),
}

NAME = Rule(
    "self.metadata.name.size() <= 53 && self.metadata.name.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?$')",
    "metadata.name may have lower case letters, digits and dashes, at most 53; choose a shorter or plainer name",
)

WITHOUT_DEFAULT: frozenset[tuple[type[BaseModel], str]] = frozenset({(ScalingSpec, "queue_per_worker_max")})
"""Fields whose default stays out of the schema, as said above."""
