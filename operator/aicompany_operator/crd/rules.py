"""The static rules of the specification, in CEL: what pydantic's validators say, said by the API server at apply.

Each rule stands with the model and the validator it is for. A validator that is in neither of the two tables fails a
test. A field without a default is asked for with `has`; one with a default is always there when a rule is looked at.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from aicompany.spec.address import WEB_ADDRESS, WEB_ADDRESS_SAID
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


def _at_most_one(one: str, other: str) -> tuple[Rule, ...]:
    return (Rule(f"!(has(self.{one}) && has(self.{other}))", f"{one} and {other} are both set; keep one of them"),)


_PORT = r"(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[0-5]?[0-9]{1,4})"
_HOST = rf"(\[[^\[\]\s]*\]|[^\s:/?#,@\[\]]*)(:{_PORT})?"
ADDRESS = rf"^[a-z+]+://([^\s/?#@]*@)?{_HOST}(,{_HOST})*([/?#]\S*)?$"
"""An address of a server with its ports, in the regular expressions of RE2."""


def _address(schemes: str, said: str) -> tuple[Rule, ...]:
    # Rules and no `pattern`: the API server repeats what does not fit a pattern, and an address may hold a password.
    return (
        Rule(f"self.matches('^({schemes})://')", f"the address begins with none of {said}; begin it with one of them"),
        Rule(
            f"self.matches(r'{ADDRESS}')",
            "the address cannot be read; write scheme://user:password@host:port/name, and signs such as / and @ in a "
            "password as %2F and %40",
        ),
    )


RULES: Mapping[tuple[type[BaseModel], str], tuple[Rule, ...]] = {
    # That names are unique is said by the list itself: it is a map by name.
    (CompanySpec, "_one_fallback_and_unique_names"): (
        Rule(
            "!has(self.agents) || self.agents.filter(agent, agent.fallback).size() == 1",
            "exactly one agent must have `fallback: true`; mark one, and only one",
        ),
    ),
    (WorkerSpec, "_ordered"): (Rule("self.min <= self.max", "min is more than max; lower min or raise max"),),
    # queuePerWorkerMax has no default in the schema (see WITHOUT_DEFAULT), so it is there only when somebody set it.
    (ScalingSpec, "_ordered"): (
        Rule(
            "!has(self.queuePerWorkerMax) || self.queuePerWorker <= self.queuePerWorkerMax",
            "queuePerWorker is more than queuePerWorkerMax; lower the one or raise the other",
        ),
    ),
    (ModelSpec, "_one_key"): _at_most_one("apiKeyFile", "apiKeySecret"),
    (BrokerSpec, "_one_address"): _at_most_one("url", "urlSecret"),
    (StoreSpec, "_one_address"): _at_most_one("url", "urlSecret"),
    (CacheSpec, "_one_address"): _at_most_one("url", "urlSecret"),
    (GatewaySpec, "_one_token"): _at_most_one("tokenFile", "tokenSecret"),
    (Toleration, "_sound"): (
        Rule("has(self.key) || self.operator == 'Exists'", "a toleration without a key needs `operator: Exists`"),
        Rule("!has(self.value) || self.operator == 'Equal'", "`operator: Exists` takes no value; take it out"),
    ),
}
"""By model and name of its validator; written at the model's section."""

FIELD_RULES: Mapping[tuple[type[BaseModel], str], tuple[Rule, ...]] = {
    (BrokerSpec, "url"): _address("amqps?", "amqp:// and amqps://"),
    (StoreSpec, "url"): _address("postgres(ql)?", "postgresql:// and postgres://"),
    (ModelSpec, "base_url"): (Rule(f"self.matches(r'{WEB_ADDRESS}')", WEB_ADDRESS_SAID),),
    (CacheSpec, "url"): _address("rediss?|unix", "redis://, rediss:// and unix://"),
}
"""By model and field whose type has a validator; written at the field."""

NOT_IN_CEL: Mapping[tuple[type[BaseModel], str], str] = {}
"""Validators that CEL cannot say, each with the reason. The operator finds such mistakes when it reads the resource."""

NAME = Rule(
    "self.metadata.name.size() <= 53 && self.metadata.name.matches('^[a-z]([a-z0-9-]*[a-z0-9])?$')",
    "metadata.name begins with a letter and has lower case letters, digits and dashes, at most 53; choose another name",
)
"""Of the resource as a whole."""

WITHOUT_DEFAULT: frozenset[tuple[type[BaseModel], str]] = frozenset(
    {(ScalingSpec, "queue_per_worker_max"), (CompanySpec, "agents")}
)
"""Fields whose default stays out of the schema; the operator fills it in when it reads the resource.

Who sets only queuePerWorker, above the usual queuePerWorkerMax, wants a fixed threshold. Were the default written in by
the API server, nobody could tell that from a mistake, and the file would be refused.

An agent that the API server wrote in belongs to no applier, so server-side apply would keep it beside those that are
named later: a second fallback agent, which is refused.
"""


def rules_of(model: type[BaseModel]) -> Iterator[Rule]:
    """All rules of the model's section."""
    for (owner, _), rules in RULES.items():
        if owner is model:
            yield from rules
