"""NetworkPolicies: the company's pods are closed but for what the company needs."""

from typing import Any

from aicompany_operator.builders.blueprint import Blueprint, Manifest
from aicompany_operator.builders.metadata import metadata_of, selector_of
from aicompany_operator.builders.paths import GATEWAY_PORT, HEALTH_PORT
from aicompany_operator.names import GATEWAY, LABEL_COMPANY, LABEL_SCRAPER, child_name, deployment_name

_DNS = [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]


def build_network_policies(blueprint: Blueprint) -> tuple[Manifest, ...]:
    """One for all pods, one for the gateway; none when the specification wants none."""
    if not blueprint.spec.pods.network_policies:
        return ()
    return (_for_all(blueprint), _for_gateway(blueprint))


def _for_all(blueprint: Blueprint) -> Manifest:
    """Nobody comes in but who collects metrics; out go only name look-ups and the ports of the company's servers.

    The servers' addresses are names that may resolve to anything, so only ports can be told.
    """
    ports = blueprint.ports
    servers = sorted({port for port in (ports.broker, ports.store, ports.cache, ports.model) if port})
    scrapers = {"namespaceSelector": {"matchLabels": {LABEL_SCRAPER: "true"}}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata_of(blueprint.company, child_name(blueprint.company.name, "pods")),
        "spec": {
            "podSelector": {"matchLabels": {LABEL_COMPANY: blueprint.company.name}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [scrapers], "ports": [_tcp(HEALTH_PORT), _tcp(GATEWAY_PORT)]}],
            "egress": [{"ports": _DNS}, {"ports": [_tcp(port) for port in servers]}],
        },
    }


def _for_gateway(blueprint: Blueprint) -> Manifest:
    """The door is open to all: it asks for the token."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata_of(blueprint.company, deployment_name(blueprint.company.name, GATEWAY), GATEWAY),
        "spec": {
            "podSelector": {"matchLabels": selector_of(blueprint.company, GATEWAY)},
            "policyTypes": ["Ingress"],
            "ingress": [{"ports": [_tcp(GATEWAY_PORT)]}],
        },
    }


def _tcp(port: int) -> dict[str, Any]:
    return {"protocol": "TCP", "port": port}
