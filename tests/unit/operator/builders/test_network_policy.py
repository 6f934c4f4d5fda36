"""NetworkPolicies."""

import pytest
from tests.unit.operator.builders.blueprints import GROUPS, REF, blueprint_of, pod_of, spec_of

from aicompany_operator.builders.blueprint import Ports
from aicompany_operator.builders.network_policy import build_network_policies
from aicompany_operator.names import GATEWAY, LABEL_SCRAPER

SCRAPER = {LABEL_SCRAPER: "true"}


def policies_of(group, direction):
    labels = pod_of(blueprint_of(), group)["metadata"]["labels"].items()
    for policy in build_network_policies(blueprint_of()):
        spec = policy["spec"]
        if spec["podSelector"]["matchLabels"].items() <= labels and direction in spec["policyTypes"]:
            yield spec


def may_enter(group, port, namespace):
    """Whether a pod of a namespace with these labels reaches the port: what no rule allows is refused."""
    return any(
        {"protocol": "TCP", "port": port} in rule["ports"]
        and ("from" not in rule or any(_is_from(peer, namespace) for peer in rule["from"]))
        for spec in policies_of(group, "Ingress")
        for rule in spec.get("ingress", ())
    )


def _is_from(peer, namespace):
    return peer["namespaceSelector"]["matchLabels"].items() <= namespace.items()


def may_reach(group, protocol, port):
    return any(
        {"protocol": protocol, "port": port} in rule["ports"] and "to" not in rule
        for spec in policies_of(group, "Egress")
        for rule in spec.get("egress", ())
    )


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_every_pod_is_closed_in_both_directions(group):
    for direction in ("Ingress", "Egress"):
        rules = [rule for spec in policies_of(group, direction) for rule in spec[direction.lower()]]
        assert rules
        # A rule without ports would open them all.
        assert all(rule["ports"] for rule in rules)


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_out_go_names_and_the_companys_servers_alone(group):
    assert may_reach(group, "UDP", 53)
    assert may_reach(group, "TCP", 53)
    assert [port for port in range(1, 10_000) if may_reach(group, "TCP", port)] == [53, 443, 5432, 5672, 6379]


def test_the_gateway_is_open_to_all_and_workers_to_who_collects_metrics():
    for group in GROUPS:
        own = 8700 if group == GATEWAY else 8000
        assert may_enter(group, own, SCRAPER)
        assert may_enter(group, own, {}) == (group == GATEWAY)
        assert not may_enter(group, 22, SCRAPER)


def test_none_when_none_is_wanted():
    assert build_network_policies(blueprint_of(spec_of(pods={"networkPolicies": False}))) == ()


def test_policies_are_the_companys_alone():
    for policy in build_network_policies(blueprint_of()):
        assert policy["spec"]["podSelector"]["matchLabels"]["aicompany.io/company"] == REF.name


def test_a_port_that_two_servers_share_is_told_once():
    blueprint = blueprint_of(cache=False)
    object.__setattr__(blueprint, "ports", Ports(broker=443, store=443, cache=None, model=443))
    (_, servers) = build_network_policies(blueprint)[0]["spec"]["egress"]
    assert servers["ports"] == [{"protocol": "TCP", "port": 443}]
