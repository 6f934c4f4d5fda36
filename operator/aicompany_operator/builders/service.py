"""Services: the gateway's door, and the workers' metrics."""

from aicompany_operator.builders.blueprint import Blueprint, Manifest
from aicompany_operator.builders.metadata import metadata_of, selector_of
from aicompany_operator.builders.paths import GATEWAY_PORT, HEALTH_PORT
from aicompany_operator.names import GATEWAY, LABEL_COMPANY, LABEL_WORKER, child_name, deployment_name


def build_gateway_service(blueprint: Blueprint) -> Manifest:
    """`<company>-gateway`, port 8700."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata_of(blueprint.company, deployment_name(blueprint.company.name, GATEWAY), GATEWAY),
        "spec": {
            "type": "ClusterIP",
            "selector": selector_of(blueprint.company, GATEWAY),
            "ports": [{"name": "http", "port": GATEWAY_PORT, "targetPort": "http", "protocol": "TCP"}],
        },
    }


def build_workers_service(blueprint: Blueprint) -> Manifest:
    """`<company>-workers`: headless, for whoever collects metrics; pods that are not ready are in it, too."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata_of(blueprint.company, child_name(blueprint.company.name, "workers")),
        "spec": {
            "type": "ClusterIP",
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": {LABEL_COMPANY: blueprint.company.name, LABEL_WORKER: "true"},
            "ports": [{"name": "health", "port": HEALTH_PORT, "targetPort": "health", "protocol": "TCP"}],
        },
    }
