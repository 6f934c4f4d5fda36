"""The operator's pages and manifests say what its code does."""

import re
from pathlib import Path

import yaml

from aicompany_operator.observed.seen import Reason
from aicompany_operator.reference import PAGE, operator_page

ROOT = Path(__file__).parents[2]
MANIFESTS = ROOT / "manifests"
SYSTEM = "aicompany-system"
WATCHED = "team-a"


def objects(name):
    """The manifest's objects by kind, namespace and name."""
    loaded = yaml.safe_load_all((MANIFESTS / name).read_text(encoding="utf-8"))
    return {(body["kind"], body["metadata"].get("namespace"), body["metadata"]["name"]): body for body in loaded}


def environment(deployment):
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    return {variable["name"]: variable for variable in container.pop("env")}


def test_the_generated_page_is_current():
    committed = (ROOT / "docs" / "reference" / PAGE).read_text(encoding="utf-8")
    assert committed == operator_page(), f"docs/reference/{PAGE} is out of date; run `make docs`"


def test_every_reason_has_an_entry_in_the_runbook_and_no_other_has_one():
    runbook = (ROOT / "docs" / "runbooks" / "operator.md").read_text(encoding="utf-8")
    entries = re.findall(r"^### (\w+)$", runbook, re.MULTILINE)
    assert sorted(entries) == sorted(Reason)


def test_a_namespaced_operator_has_the_same_rights_in_its_namespace_and_none_in_the_cluster():
    whole, some = objects("operator.yaml"), objects("operator-namespaced.yaml")
    assert {kind for kind, _, _ in some if kind.startswith("Cluster")} == set()
    in_the_cluster = whole["ClusterRole", None, "aicompany-operator"]["rules"]
    assert some["Role", WATCHED, "aicompany-operator"]["rules"] == in_the_cluster
    at_home = ("Role", SYSTEM, "aicompany-operator")
    assert some[at_home]["rules"] == whole[at_home]["rules"]


def test_a_namespaced_operator_differs_by_the_namespaces_it_watches_alone():
    key = ("Deployment", SYSTEM, "aicompany-operator")
    whole, some = objects("operator.yaml")[key], objects("operator-namespaced.yaml")[key]
    of_the_whole, of_some = environment(whole), environment(some)
    assert of_some.pop("OPERATOR_WATCH_NAMESPACES")["value"] == WATCHED
    assert of_some == of_the_whole
    assert some == whole
