"""The workers' ServiceAccount. They never talk to the API server, so it has no token and no rights."""

from aicompany_operator.builders.blueprint import Blueprint, Manifest
from aicompany_operator.builders.metadata import metadata_of
from aicompany_operator.names import CompanyRef, child_name


def service_account_name(company: CompanyRef) -> str:
    """Its name."""
    return child_name(company.name, "worker")


def build_service_account(blueprint: Blueprint) -> Manifest:
    """The ServiceAccount of all the company's pods."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata_of(blueprint.company, service_account_name(blueprint.company)),
        "automountServiceAccountToken": False,
    }
