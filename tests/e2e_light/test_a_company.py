"""A company from the first apply to the last object."""

import json

from tests.e2e_light.kube import AGENTS, GROUPS, company
from tests.e2e_light.waits import become, changes, ready

from aicompany_operator.crd.status import CompanyStatus

KINDS = ("cm", "secret", "svc", "sa", "deploy", "pdb", "netpol")


def versions(place, *kinds):
    return {(item["kind"], item["metadata"]["name"]): item["metadata"]["resourceVersion"] for item in place.all(*kinds)}


async def test_it_becomes_ready_and_says_so_in_the_shape_of_the_definition(home, operator):
    home.apply(company())
    await ready(home)
    assert {d["metadata"]["name"] for d in home.all("deploy")} == {f"acme-{group}" for group in GROUPS}
    status = CompanyStatus.model_validate(home.get("aico", "acme")["status"])
    assert (status.workers, status.broker, status.store) == ("6/6", "external", "external")


async def test_where_nothing_changes_nothing_is_written(home, operator):
    home.apply(company())
    await ready(home)
    # The first look may still be one at the operator's own last write.
    await changes(operator, lambda: home.patch("secret", "servers", {"metadata": {"labels": {"seen": "first"}}}))
    written, before = operator.total("aicompany_operator_writes_total"), versions(home, *KINDS)
    body = home.get("aico", "acme")["metadata"]["resourceVersion"]
    for turn in range(5):
        seen = {"metadata": {"labels": {"seen": f"turn-{turn}"}}}
        await changes(operator, lambda seen=seen: home.patch("cm", "acme-company", seen))
    assert operator.total("aicompany_operator_writes_total") == written
    after = versions(home, *KINDS)
    assert {name for name in before if after[name] != before[name]} == {("ConfigMap", "acme-company")}
    assert home.get("aico", "acme")["metadata"]["resourceVersion"] == body


async def test_other_instructions_of_an_agent_replace_that_agents_pods_alone(home, operator):
    home.apply(company())
    await ready(home)
    before = {d["metadata"]["name"]: d["spec"]["template"] for d in home.all("deploy")}
    home.apply(company(agents=[{**AGENTS[0], "instructions": "Write less."}, AGENTS[1]]))

    def changed():
        return {
            d["metadata"]["name"] for d in home.all("deploy") if d["spec"]["template"] != before[d["metadata"]["name"]]
        }

    await become(changed, within_seconds=15)
    await ready(home)
    assert changed() == {"acme-task-writer"}


async def test_an_agent_that_is_taken_out_goes_with_its_pods(home, operator):
    home.apply(company(workers={"task": {"min": 2}}))
    await ready(home)
    budgets = {b["metadata"]["name"] for b in home.all("pdb")}
    assert any("writer" in name for name in budgets)
    home.apply(company(agents=[AGENTS[1]], workers={"task": {"min": 2}}))
    await become(
        lambda: not any("writer" in item["metadata"]["name"] for item in home.all("deploy", "pdb", "pod")),
        within_seconds=20,
    )
    assert home.get("deploy", "acme-task-generalist") is not None
    await ready(home)


async def test_hibernated_it_has_no_pods_and_woken_it_has_them_again(home, operator):
    home.apply(company())
    await ready(home)
    home.apply(company(hibernated=True))
    await become(lambda: home.holds("acme", "Hibernated", "True"), within_seconds=20)
    assert home.all("pod") == []
    assert home.holds("acme", "Ready", "False", "Hibernated")
    home.apply(company())
    await ready(home)
    assert home.holds("acme", "Hibernated", "False")


async def test_a_pod_that_was_evicted_keeps_no_company_awake(home, operator):
    home.apply(company())
    await ready(home)
    evicted = next(pod["metadata"]["name"] for pod in home.all("pod") if "acme-pm" in pod["metadata"]["name"])
    home("patch", "pod", evicted, "--subresource=status", "-p", json.dumps({"status": {"phase": "Failed"}}))
    await become(lambda: len([pod for pod in home.all("pod") if "acme-pm" in pod["metadata"]["name"]]) == 2)
    await ready(home)
    home.apply(company(hibernated=True))
    await become(lambda: home.holds("acme", "Hibernated", "True"), within_seconds=20)
    assert [pod["metadata"]["name"] for pod in home.all("pod")] == [evicted]


async def test_deleted_it_takes_everything_along_and_is_not_cared_for_any_more(home, operator):
    home.apply(company())
    await ready(home)
    cared_for = operator.health()["companies"]
    home("delete", "aico", "acme", "--timeout=30s")
    await become(lambda: home.all(*KINDS, "pod") == [], within_seconds=30)
    assert home.get("secret", "servers") is not None
    await become(lambda: operator.health()["companies"] == cared_for - 1, within_seconds=10)


async def test_under_the_name_of_a_deleted_one_a_new_one_becomes_ready(home, operator):
    home.apply(company())
    await ready(home)
    home("delete", "aico", "acme", "--timeout=30s")
    home.apply(company())
    await ready(home)
    (owner,) = home.get("cm", "acme-company")["metadata"]["ownerReferences"]
    assert owner["uid"] == home.get("aico", "acme")["metadata"]["uid"]
