"""What somebody changes or deletes by hand is put back, without waiting for the next round."""

import pytest
from tests.e2e_light.kube import company
from tests.e2e_light.waits import become, changes, ready

REPAIR_SECONDS = 15


def template(item):
    return item["spec"]["template"]["spec"]["containers"][0]


EDITS = {
    "replicas": ("deploy", "acme-pm", {"spec": {"replicas": 3}}, lambda d: d["spec"]["replicas"] == 1),
    "label": (
        "deploy", "acme-pm", {"metadata": {"labels": {"aicompany.io/role": "other"}}},
        lambda d: d["metadata"]["labels"]["aicompany.io/role"] == "pm",
    ),
    "the label by which it is found": (
        "deploy", "acme-pm", {"metadata": {"labels": {"aicompany.io/company": None}}},
        lambda d: d["metadata"]["labels"].get("aicompany.io/company") == "acme",
    ),
    "configuration": (
        "cm", "acme-company", {"data": {"company.yaml": "by hand"}}, lambda c: c["data"]["company.yaml"] != "by hand",
    ),
    "an open door": (
        "netpol", "acme-pods", {"spec": {"ingress": [{}]}}, lambda p: p["spec"]["ingress"] != [{}],
    ),
    "a wall that is somewhere else": (
        "netpol", "acme-pods", {"spec": {"podSelector": {"matchLabels": {"by": "hand"}}}},
        lambda p: p["spec"]["podSelector"]["matchLabels"] == {"aicompany.io/company": "acme"},
    ),
    "a service that leads nowhere": (
        "svc", "acme-gateway", {"spec": {"selector": {"by": "hand"}}}, lambda s: "by" not in s["spec"]["selector"],
    ),
    "a secret value": (
        "secret", "acme-credentials", {"data": {"broker-url": "YnkgaGFuZA=="}},
        lambda s: "broker-url" not in s["data"] or s["data"]["broker-url"] != "YnkgaGFuZA==",
    ),
}  # fmt: skip


@pytest.mark.parametrize("edit", EDITS)
async def test_an_edit_is_undone(home, operator, edit):
    kind, name, patch, is_mended = EDITS[edit]
    home.apply(company())
    await ready(home)
    home.patch(kind, name, patch)
    await become(lambda: is_mended(home.get(kind, name)), within_seconds=REPAIR_SECONDS)


async def test_another_image_is_undone(home, operator):
    home.apply(company())
    await ready(home)
    home("set", "image", "deploy/acme-pm", "aicompany=example.test/other:1")
    await become(
        lambda: template(home.get("deploy", "acme-pm"))["image"] == "example.test/worker:1",
        within_seconds=REPAIR_SECONDS,
    )


async def test_privileges_that_are_no_longer_refused_are_refused_again(home, operator):
    home.apply(company())
    await ready(home)
    path = "/spec/template/spec/containers/0/securityContext/allowPrivilegeEscalation"
    home.patch("deploy", "acme-pm", [{"op": "remove", "path": path}], kind_of_patch="json")
    await become(
        lambda: template(home.get("deploy", "acme-pm"))["securityContext"].get("allowPrivilegeEscalation") is False,
        within_seconds=REPAIR_SECONDS,
    )


async def test_what_is_added_to_a_list_is_taken_out_and_not_written_again_and_again(home, operator):
    home.apply(company())
    await ready(home)
    home("set", "env", "deploy/acme-pm", "BY=hand")
    await become(
        lambda: not any(entry["name"] == "BY" for entry in template(home.get("deploy", "acme-pm"))["env"]),
        within_seconds=REPAIR_SECONDS,
    )
    home("annotate", "deploy/acme-pm", "seen=again")
    await ready(home)
    written = operator.total("aicompany_operator_writes_total")
    await changes(operator, lambda: home("annotate", "deploy/acme-pm", "seen=once-more", "--overwrite"))
    assert operator.total("aicompany_operator_writes_total") == written


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("deploy", "acme-pm"),
        ("cm", "acme-company"),
        ("svc", "acme-gateway"),
        ("sa", "acme-worker"),
        ("netpol", "acme-pods"),
        ("secret", "acme-credentials"),
        ("pdb", "acme-pm"),
    ],
)
async def test_what_is_deleted_is_made_again(home, operator, kind, name):
    home.apply(company())
    await ready(home)
    uid = home.get(kind, name)["metadata"]["uid"]
    home("delete", kind, name)
    await become(
        lambda: (home.get(kind, name) or {"metadata": {"uid": uid}})["metadata"]["uid"] != uid,
        within_seconds=REPAIR_SECONDS,
    )


async def test_paused_nothing_is_repaired_and_afterwards_all_is(home, operator):
    home.apply(company())
    await ready(home)
    home.apply(company(paused=True))
    await become(lambda: home.holds("acme", "Paused", "True"))
    await changes(operator, lambda: home("scale", "deploy/acme-pm", "--replicas=2"))
    home("delete", "svc", "acme-gateway")
    await changes(operator, lambda: home("annotate", "deploy/acme-pm", "seen=again"))
    assert home.get("svc", "acme-gateway") is None
    assert home.get("deploy", "acme-pm")["spec"]["replicas"] == 2
    home.apply(company())
    await become(lambda: home.get("svc", "acme-gateway"), within_seconds=REPAIR_SECONDS)
    await become(lambda: home.get("deploy", "acme-pm")["spec"]["replicas"] == 1, within_seconds=REPAIR_SECONDS)
    await ready(home)
