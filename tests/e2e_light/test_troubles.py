"""What keeps a company from working is told by its reason, and goes when it is mended."""

import base64
import json

from tests.e2e_light.conftest import Listener
from tests.e2e_light.kube import GROUPS, Namespace, company, secret, servers
from tests.e2e_light.waits import become, changes, ready
from tests.messages_api.server import MessagesApi
from tests.servers.server import free_port


async def test_a_secret_that_is_missing_and_then_made(place, listener, operator):
    place.apply(company())
    await become(lambda: place.holds("acme", "CredentialsAvailable", "False", "SecretMissing"))
    assert place.holds("acme", "Ready", "False", "SecretMissing")
    assert place.all("deploy") == []
    place.apply(servers(listener.port))
    await ready(place)
    assert place.holds("acme", "CredentialsAvailable", "True")


async def test_nobody_listens_and_then_somebody_does(place, operator):
    absent = Listener()
    absent.port = free_port()
    place.apply(servers(absent.port))
    place.apply(company())
    told = await become(lambda: place.holds("acme", "Ready", "False", "BrokerUnreachable"))
    assert str(absent.port) in told["message"]
    assert "u:p" not in told["message"]
    await absent.open()
    try:
        await ready(place)
        assert place.holds("acme", "Degraded", "False")
    finally:
        await absent.close()


async def test_a_key_that_is_rejected_and_then_mended(home, operator):
    async with MessagesApi(key="sk-good").serving() as api:
        home.apply(secret("claude", key="sk-wrong"))
        model = {
            "provider": "anthropic",
            "baseUrl": api.url,
            "apiKeySecret": {"name": "claude", "key": "key"},
        }
        home.apply(company(model=model))
        await become(lambda: home.holds("acme", "CredentialsAvailable", "False", "KeyRejected"))
        assert home.holds("acme", "Ready", "False", "KeyRejected")
        home.apply(secret("claude", key="sk-good"))
        await become(lambda: home.holds("acme", "CredentialsAvailable", "True", "KeyAccepted"))
        await ready(home)
        told = home("get", "aico,events,cm,deploy", "-o", "json")
        assert "sk-good" not in told
        assert "sk-wrong" not in told


async def test_a_name_that_somebody_else_has_is_left_to_them(home, operator):
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "acme-company"}, "data": {"a": "theirs"}}
    home.apply(theirs)
    before = home.get("cm", "acme-company")
    home.apply(company())
    told = await become(lambda: home.holds("acme", "Degraded", "True", "NameTaken"))
    assert "acme-company" in told["message"]
    assert home.get("cm", "acme-company") == before
    # A pod would read their file.
    assert home.all("deploy") == []
    home("delete", "cm", "acme-company")
    await ready(home)
    home("delete", "aico", "acme", "--timeout=30s")


async def test_somebody_elses_secret_is_neither_read_nor_changed(home, operator):
    home.apply(secret("acme-credentials", token="theirs"))
    before = home.get("secret", "acme-credentials")
    home.apply(company())
    await become(lambda: home.holds("acme", "Degraded", "True", "NameTaken"))
    assert home.all("deploy") == []
    assert home.get("secret", "acme-credentials") == before
    home("delete", "secret", "acme-credentials")
    await ready(home)
    assert base64.b64decode(home.get("secret", "acme-credentials")["data"]["token"]) != b"theirs"


async def test_pods_that_a_quota_forbids(home, operator):
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "none"},
        "spec": {"hard": {"pods": "0"}},
    }
    home.apply(quota)
    await become(lambda: home.get("quota", "none").get("status", {}).get("hard"))
    home.apply(company())
    told = await become(lambda: home.holds("acme", "Degraded", "True", "PodsForbidden"), within_seconds=40)
    assert "quota" in told["message"]
    assert home.holds("acme", "Ready", "False", "PodsForbidden")


async def test_a_company_that_cannot_go_yet_is_left_alone(home, listener, operator):
    """Its namespace is being deleted, and somebody's finalizer holds it."""
    held = company()
    held["metadata"]["finalizers"] = ["example.test/held"]
    home.apply(held)
    await ready(home)
    home.kubectl("delete", "namespace", home.name, "--wait=false")
    await become(lambda: "aicompany.io/cleanup" not in home.get("aico", "acme")["metadata"]["finalizers"])
    await become(lambda: home.all("deploy", "cm", "svc", "pod") == [], within_seconds=60)
    for turn in range(3):
        home("annotate", "aico/acme", f"seen=turn-{turn}", "--overwrite")
    body, told = home.get("aico", "acme")["metadata"]["resourceVersion"], operator.log.read_text().count(home.name)
    # Another company shows that the operator has seen all that.
    elsewhere = Namespace(home.kubectl)
    elsewhere.apply(servers(listener.port))
    elsewhere.apply(company("another"))
    await ready(elsewhere, "another")
    elsewhere("delete", "aico", "another", "--timeout=30s")
    assert home.get("aico", "acme")["metadata"]["resourceVersion"] == body
    assert operator.log.read_text().count(home.name) == told
    home.patch("aico", "acme", {"metadata": {"finalizers": None}})
    await become(lambda: home.get("aico", "acme") is None)


async def test_in_a_namespace_that_goes_nothing_is_tried_in_haste(home, operator):
    home.apply(company(paused=True))
    await become(lambda: home.holds("acme", "Paused", "True"))
    keeper = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held", "finalizers": ["example.test/h"]}}
    home.apply(keeper)
    before = operator.total("aicompany_operator_reconciles_total")
    home.kubectl("delete", "namespace", home.name, "--wait=false")
    await become(lambda: home.get("aico", "acme") is None, within_seconds=60)
    assert operator.total("aicompany_operator_reconciles_total") - before < 20
    home.patch("cm", "held", {"metadata": {"finalizers": None}})


async def test_a_company_that_is_well_again_is_told_once(home, operator):
    home.apply(company())
    await ready(home)
    await changes(operator, lambda: home("annotate", "deploy/acme-pm", "seen=again"))
    assert home.events("acme") == ["AllReady", "NoKeyNeeded"]


async def test_the_secret_of_another_company_is_not_used(home, listener, operator):
    # With addresses of its own, the first company's Secret has entries that the second could ask for.
    server = f"u:p@127.0.0.1:{listener.port}/d"
    home.apply(company(broker={"url": f"amqp://{server}"}, store={"url": f"postgres://{server}"}))
    await ready(home)
    taken = {
        "broker": {"urlSecret": {"name": "acme-credentials", "key": "broker-url"}},
        "store": {"urlSecret": {"name": "acme-credentials", "key": "store-url"}},
    }
    home.apply(company("thief", **taken))
    told = await become(lambda: home.holds("thief", "Ready", "False", "SecretMissing"))
    assert "Secret acme-credentials is that of AICompany acme" in told["message"]
    assert home.holds("thief", "CredentialsAvailable", "False", "SecretMissing")
    assert home.all("deploy", selector="aicompany.io/company=thief") == []
    home.apply(company("thief"))
    await ready(home, "thief")
    # Nor do Deployments that are there get it.
    home.apply(company("thief", **taken))
    await become(lambda: home.holds("thief", "Degraded", "True", "SecretMissing"))
    deployments = home.all("deploy", selector="aicompany.io/company=thief")
    assert deployments
    assert "acme-credentials" not in json.dumps([deployment["spec"] for deployment in deployments])
    assert home.holds("acme", "Ready", "True")


async def test_an_address_of_the_model_that_is_none_is_refused_at_once(home, operator):
    for url in ("http://gw:80800", "http://[bad", "http://:80", "gw:8080"):
        said = home.kubectl.tried(
            "-n", home.name, "create", "-f", "-", given=company(model={"provider": "offline", "baseUrl": url})
        )
        assert said.returncode != 0, url
        assert "the address cannot be read; write https://host" in said.stderr
    home.apply(company(model={"provider": "offline", "baseUrl": "http://gw:8080/v1"}))
    await ready(home)


async def test_a_rejected_key_degrades_the_company_and_holds_no_pod_back(home, operator):
    async with MessagesApi(key="sk-good").serving() as api:
        home.apply(secret("claude", key="sk-wrong"))
        model = {"provider": "anthropic", "baseUrl": api.url, "apiKeySecret": {"name": "claude", "key": "key"}}
        home.apply(company(model=model))
        await become(lambda: home.holds("acme", "Degraded", "True", "KeyRejected"))
        await become(lambda: len(home.all("deploy")) == len(GROUPS))
        home.apply(secret("claude", key="sk-good"))
        await become(lambda: home.holds("acme", "Degraded", "False", "NothingWrong"))
        await ready(home)


async def test_of_several_stores_one_that_answers_is_enough(home, listener, operator):
    hosts = f"127.0.0.1:{free_port()},127.0.0.1:{listener.port}"
    home.apply(company(store={"url": f"postgresql://u:p@{hosts}/d"}))
    await ready(home)
    assert home.holds("acme", "Degraded", "False")
