"""All objects of a company."""

import re

import pytest
from hypothesis import given, settings
from tests.unit.operator.builders.blueprints import (
    AGENT_NAMES,
    BLUEPRINTS,
    COMPANY_NAMES,
    GROUPS,
    REF,
    as_json,
    blueprint_of,
    everything_in,
    of_kind,
    spec_of,
)

from aicompany.ports.cluster import WorkerGroup
from aicompany_operator.builders.company import build_all
from aicompany_operator.names import CompanyRef, deployment_name
from aicompany_operator.observed.differences import differences

NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?")
MANY = settings(max_examples=60)
LONG = CompanyRef("offices", "a" * 53, REF.uid)


def key_of(manifest):
    return manifest["kind"], manifest["metadata"]["name"]


def test_a_company_is_made_of_these():
    assert [key_of(manifest) for manifest in build_all(blueprint_of())] == [
        ("ServiceAccount", "acme-worker"),
        ("ConfigMap", "acme-company"),
        ("NetworkPolicy", "acme-pods"),
        ("NetworkPolicy", "acme-gateway"),
        ("Service", "acme-gateway"),
        ("Service", "acme-workers"),
        ("Deployment", "acme-dialog"),
        ("PodDisruptionBudget", "acme-dialog"),
        ("Deployment", "acme-gateway"),
        ("PodDisruptionBudget", "acme-gateway"),
        ("Deployment", "acme-pm"),
        ("PodDisruptionBudget", "acme-pm"),
        ("Deployment", "acme-result"),
        ("PodDisruptionBudget", "acme-result"),
        ("Deployment", "acme-task-design"),
        ("PodDisruptionBudget", "acme-task-design"),
        ("Deployment", "acme-task-qa"),
        ("PodDisruptionBudget", "acme-task-qa"),
    ]


@MANY
@given(BLUEPRINTS)
def test_any_valid_company_can_be_built_and_twice_the_same(blueprint):
    assert build_all(blueprint) == build_all(blueprint)


@MANY
@given(BLUEPRINTS)
def test_objects_are_plain_json_without_what_the_api_server_drops(blueprint):
    manifests = list(build_all(blueprint))
    assert as_json(manifests) == manifests
    for place, value in everything_in(manifests):
        assert type(value) in {str, int, bool, dict, list}, place
        assert value not in ("", [], {}), place


@MANY
@given(BLUEPRINTS)
def test_every_object_belongs_to_the_company_and_says_so(blueprint):
    ref = blueprint.company
    for manifest in build_all(blueprint):
        metadata = manifest["metadata"]
        assert metadata["namespace"] == ref.namespace
        assert metadata["ownerReferences"] == [
            {
                "apiVersion": "aicompany.io/v1alpha1",
                "kind": "AICompany",
                "name": ref.name,
                "uid": ref.uid,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ]
        assert {
            "app.kubernetes.io/name": "aicompany",
            "app.kubernetes.io/instance": ref.name,
            "app.kubernetes.io/managed-by": "aicompany-operator",
            "app.kubernetes.io/part-of": "aicompany",
            "aicompany.io/company": ref.name,
        }.items() <= metadata["labels"].items()


@MANY
@given(BLUEPRINTS)
def test_names_and_labels_fit_and_no_two_objects_are_called_alike(blueprint):
    manifests = build_all(blueprint)
    names = [key_of(manifest) for manifest in manifests]
    assert len(set(names)) == len(names)
    for _, name in names:
        assert NAME.fullmatch(name)
        assert len(name) <= 52
    for place, value in everything_in(list(manifests)):
        if len(place) > 1 and place[-2] in {"labels", "matchLabels"}:
            assert LABEL_VALUE.fullmatch(value), place
            assert len(value) <= 63, place


@given(COMPANY_NAMES, AGENT_NAMES, AGENT_NAMES)
def test_deployments_of_one_company_are_never_called_alike(company, one, other):
    groups = {WorkerGroup("task", one), WorkerGroup("task", other), *GROUPS}
    assert len({deployment_name(company, group) for group in groups}) == len(groups)


def test_long_names_that_begin_alike_stay_apart():
    agents = [{"name": f"{'b' * 29}{end}", "fallback": end == "x"} for end in "xyz"]
    deployments = of_kind(build_all(blueprint_of(spec_of(agents=agents), ref=LONG)), "Deployment")
    names = [deployment["metadata"]["name"] for deployment in deployments]
    assert len({*names}) == len(names) == 7
    assert max(map(len, names)) == 52
    beside = CompanyRef("offices", "a" * 52 + "b", REF.uid)
    assert not {*map(key_of, build_all(blueprint_of(ref=LONG)))} & {*map(key_of, build_all(blueprint_of(ref=beside)))}


@pytest.mark.parametrize("ref", [REF, LONG], ids=["short", "long"])
def test_what_objects_refer_to_is_made_before_them(ref):
    made = set()
    for manifest in build_all(blueprint_of(ref=ref)):
        if manifest["kind"] == "Deployment":
            pod = manifest["spec"]["template"]["spec"]
            maps = {volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume}
            assert ("ServiceAccount", pod["serviceAccountName"]) in made
            assert {("ConfigMap", name) for name in maps} <= made
            assert maps
        made.add(key_of(manifest))


def test_a_company_at_rest_keeps_all_but_pods_and_budgets():
    awake, resting = build_all(blueprint_of()), build_all(blueprint_of(replicas=0))
    assert [key_of(m) for m in resting] == [key_of(m) for m in awake if m["kind"] != "PodDisruptionBudget"]
    assert {deployment["spec"]["replicas"] for deployment in of_kind(resting, "Deployment")} == {0}


def test_scaling_changes_numbers_and_budgets_alone():
    def changed(one, other):
        return {place for m, n in zip(one, other, strict=True) for place in differences(m, n)}

    two, three = build_all(blueprint_of(replicas=2)), build_all(blueprint_of(replicas=3))
    assert changed(two, three) == {"spec.replicas"}


@MANY
@given(BLUEPRINTS)
def test_no_secret_value_is_in_any_object(blueprint):
    assert not [place for place, value in everything_in(list(build_all(blueprint))) if "never-shown" in str(value)]
