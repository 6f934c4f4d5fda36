"""How a company's pods are made in a Kubernetes cluster. It means nothing on one machine."""

from enum import StrEnum
from typing import Literal

from pydantic import Field, model_validator

from aicompany.spec.section import Section

_QUANTITY = r"^([0-9]+(\.[0-9]{1,3})?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?$"


class PullPolicy(StrEnum):
    """When a node fetches the image."""

    ALWAYS = "Always"
    IF_NOT_PRESENT = "IfNotPresent"
    NEVER = "Never"


class ComputeSpec(Section):
    """CPU and memory of one container, as Kubernetes writes quantities."""

    cpu_request: str = Field(default="50m", pattern=_QUANTITY, description="CPU that is kept for it.")
    cpu_limit: str = Field(default="1", pattern=_QUANTITY, description="Most CPU.")
    memory_request: str = Field(default="128Mi", pattern=_QUANTITY, description="Memory that is kept for it.")
    memory_limit: str = Field(default="512Mi", pattern=_QUANTITY, description="Most memory; above it is restarted.")


class Toleration(Section):
    """A taint of nodes that the pods put up with."""

    key: str | None = Field(default=None, max_length=316, description="The taint's key; every one when not set.")
    operator: Literal["Exists", "Equal"] = Field(default="Equal", description="`Exists` or `Equal`.")
    value: str | None = Field(default=None, max_length=63, description="The taint's value, for `Equal`.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        default=None, description="The taint's effect; every one when not set."
    )

    @model_validator(mode="after")
    def _sound(self) -> "Toleration":
        if self.operator == "Equal" and self.key is None:
            raise ValueError("a toleration without a key needs `operator: Exists`")
        if self.operator == "Exists" and self.value is not None:
            raise ValueError("`operator: Exists` takes no value; take it out")
        return self


class PodsSpec(Section):
    """Pods of the company: gateway and workers."""

    image: str | None = Field(
        default=None,
        min_length=1,
        max_length=500,
        pattern=r"^\S+$",
        description="Image of gateway and workers; the operator's own choice, of its version, when not set.",
    )
    pull_policy: PullPolicy = Field(
        default=PullPolicy.IF_NOT_PRESENT,
        description="When a node fetches the image: `IfNotPresent`, `Always` or `Never`.",
    )
    pull_secrets: tuple[str, ...] = Field(
        default=(), max_length=10, description="Secrets with the image registry's credentials."
    )
    gateway: ComputeSpec = Field(default=ComputeSpec(), description="CPU and memory of the gateway.")
    worker: ComputeSpec = Field(default=ComputeSpec(), description="CPU and memory of each worker.")
    node_selector: dict[str, str] = Field(default_factory=dict, description="Labels that a pod's node must have.")
    tolerations: tuple[Toleration, ...] = Field(
        default=(), max_length=20, description="Taints of nodes that the pods put up with."
    )
    network_policies: bool = Field(
        default=True, description="Whether the pods are closed to all traffic that the company does not need."
    )
