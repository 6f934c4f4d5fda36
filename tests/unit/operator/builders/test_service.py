"""Services."""

from tests.unit.operator.builders.blueprints import GROUPS, PM, blueprint_of, container_of, pod_of

from aicompany_operator.builders.service import build_gateway_service, build_workers_service
from aicompany_operator.names import GATEWAY


def behind(service):
    """The groups whose pods the Service finds."""
    selector = service["spec"]["selector"].items()
    return {group for group in GROUPS if selector <= pod_of(blueprint_of(), group)["metadata"]["labels"].items()}


def test_the_gateways_door():
    service = build_gateway_service(blueprint_of())
    assert service["metadata"]["name"] == "acme-gateway"
    assert service["spec"]["type"] == "ClusterIP"
    assert service["spec"]["ports"] == [{"name": "http", "port": 8700, "targetPort": "http", "protocol": "TCP"}]
    assert behind(service) == {GATEWAY}


def test_the_workers_metrics():
    service = build_workers_service(blueprint_of())
    assert service["metadata"]["name"] == "acme-workers"
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["publishNotReadyAddresses"] is True
    assert service["spec"]["ports"] == [{"name": "health", "port": 8000, "targetPort": "health", "protocol": "TCP"}]
    assert behind(service) >= set(GROUPS) - {GATEWAY}


def test_ports_are_named_as_the_containers_name_them():
    for service, group in ((build_gateway_service, GATEWAY), (build_workers_service, PM)):
        (port,) = service(blueprint_of())["spec"]["ports"]
        assert port["targetPort"] in {named["name"] for named in container_of(blueprint_of(), group)["ports"]}
