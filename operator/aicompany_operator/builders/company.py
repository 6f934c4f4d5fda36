"""All objects of a company."""

from collections.abc import Iterator

from aicompany_operator.builders.blueprint import Blueprint, Manifest
from aicompany_operator.builders.configuration import build_configuration
from aicompany_operator.builders.deployment import build_deployment
from aicompany_operator.builders.disruption_budget import build_disruption_budget
from aicompany_operator.builders.network_policy import build_network_policies
from aicompany_operator.builders.service import build_gateway_service, build_workers_service
from aicompany_operator.builders.service_account import build_service_account


def build_all(blueprint: Blueprint) -> tuple[Manifest, ...]:
    """In the order in which they are made."""
    return tuple(_objects(blueprint))


def _objects(blueprint: Blueprint) -> Iterator[Manifest]:
    # What pods refer to is there before them, and the walls before what they protect.
    yield build_service_account(blueprint)
    yield build_configuration(blueprint)
    yield from build_network_policies(blueprint)
    # A door that leads nowhere yet only refuses; one that comes late is missed.
    yield build_gateway_service(blueprint)
    yield build_workers_service(blueprint)
    for group in sorted(blueprint.replicas):
        yield build_deployment(blueprint, group)
        budget = build_disruption_budget(blueprint, group)
        if budget is not None:
            yield budget
