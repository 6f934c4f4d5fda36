"""The resource as it was last seen."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from aicompany.spec.company import AICompany, CompanySpec
from aicompany.spec.explain import mistakes_of
from aicompany_operator.names import CompanyRef


@dataclass(frozen=True, slots=True)
class Company:
    """One `AICompany`."""

    ref: CompanyRef
    generation: int
    spec: CompanySpec | None
    """`None` when it cannot be read."""
    mistakes: tuple[str, ...]
    """Why it cannot be read, as sentences."""
    status: Mapping[str, Any]
    is_ending: bool


def ref_of(body: Mapping[str, Any]) -> CompanyRef:
    """Which company a resource is."""
    metadata = body["metadata"]
    return CompanyRef(metadata["namespace"], metadata["name"], metadata["uid"])


def company_of(body: Mapping[str, Any]) -> Company:
    """From the resource as the API server tells it. A specification that cannot be read is told, not raised."""
    metadata = body["metadata"]
    document = {
        "apiVersion": body["apiVersion"],
        "kind": body["kind"],
        "metadata": {"name": metadata["name"], "namespace": metadata["namespace"]},
        "spec": body.get("spec", {}),
    }
    spec: CompanySpec | None = None
    mistakes: tuple[str, ...] = ()
    try:
        spec = AICompany.model_validate(document).spec
    except ValidationError as error:
        mistakes = tuple(mistake.sentence() for mistake in mistakes_of(error, AICompany))
    return Company(
        ref=ref_of(body),
        generation=metadata.get("generation", 0),
        spec=spec,
        mistakes=mistakes,
        status=body.get("status", {}),
        is_ending="deletionTimestamp" in metadata,
    )
