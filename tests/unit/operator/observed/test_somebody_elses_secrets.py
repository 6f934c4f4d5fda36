"""Secrets that the company names, in; where its pods find their values, and what is wrong, out."""

import base64
from types import SimpleNamespace

import pytest
from tests.unit.operator.builders.blueprints import REF, spec_of

from aicompany.spec.secret_key import SecretKey
from aicompany_operator.observed.seen import KeyState, Reason
from aicompany_operator.reconcile.credentials import CredentialsKeeper
from aicompany_operator.reconcile.memory import Memory
from aicompany_operator.reconcile.reconcile import _HOLDING

NAME = "other-credentials"
ENTRIES = {"broker-url": "amqp://o:s3cret@b/v", "store-url": "postgresql://o:s3cret@s:6000,t:6001/d", "token": "s3cret"}
OTHER = {
    "apiVersion": "aicompany.io/v1alpha1",
    "kind": "AICompany",
    "name": "other",
    "uid": "another uid",
    "controller": True,
}
NAMES_ALL = {
    "broker": {"urlSecret": {"name": NAME, "key": "broker-url"}},
    "store": {"urlSecret": {"name": NAME, "key": "store-url"}},
    "cache": {"urlSecret": {"name": NAME, "key": "token"}},
    "gateway": {"tokenSecret": {"name": NAME, "key": "token"}},
    "model": {"provider": "anthropic", "apiKeySecret": {"name": NAME, "key": "token"}},
}


def secret(*owners, version="1"):
    data = {name: base64.b64encode(value.encode()).decode() for name, value in ENTRIES.items()}
    return {"metadata": {"name": NAME, "resourceVersion": version, "ownerReferences": list(owners)}, "data": data}


class World:
    """A cluster with that one Secret, and servers that all answer."""

    def __init__(self, held):
        self.held = held
        self.reached = []
        self.memory = Memory()

    async def get(self, resource, namespace, name):
        return self.held if name == NAME else None

    async def reach(self, url):
        self.reached.append(url)

    async def check_key(self, base_url, key):
        return KeyState.ACCEPTED

    async def collect(self, spec):
        version = self.held["metadata"]["resourceVersion"]
        tools = SimpleNamespace(
            api=self, watched=SimpleNamespace(secret_version=lambda namespace, name: version), places={},
            reach=self.reach, check_key=self.check_key, monotonic=lambda: 0.0, draw_password=lambda: "drawn",
        )  # fmt: skip
        return await CredentialsKeeper(REF, spec, tools, self.memory).collect(may_act=True)


def names_of(sources):
    entries = (sources.broker_url, sources.store_url, sources.token, sources.cache_url, sources.api_key)
    return {entry.name for entry in entries if entry is not None}


async def test_a_secret_of_another_company_is_neither_used_nor_given_to_pods():
    world = World(secret(OTHER))
    found = await world.collect(spec_of(**NAMES_ALL))
    assert names_of(found.sources) == {"acme-credentials"}
    assert found.sources.broker_url.key not in found.own
    assert world.reached == []
    assert found.stamps.keys() == {SecretKey(name="acme-credentials", key="token")}
    assert found.key is KeyState.UNCHECKED
    assert {trouble.reason for trouble in found.troubles} == {Reason.SECRET_MISSING}
    assert Reason.SECRET_MISSING in _HOLDING
    assert len(found.troubles) == 5
    for trouble in found.troubles:
        assert trouble.message.startswith("spec.")
        assert f"Secret {NAME} is that of AICompany other" in trouble.message
        assert "create a Secret for this company" in trouble.message
        assert "s3cret" not in trouble.message


@pytest.mark.parametrize(
    "owners",
    [
        (),
        (OTHER | {"uid": REF.uid},),
        (OTHER | {"controller": False},),
        (OTHER | {"apiVersion": "example.test/v1"},),
        (OTHER | {"apiVersion": "v1", "kind": "ConfigMap"},),
    ],
)
async def test_any_other_secret_may_be_named(owners):
    world = World(secret(*owners))
    found = await world.collect(spec_of(**NAMES_ALL))
    assert names_of(found.sources) == {NAME}
    assert found.troubles == ()
    assert len(world.reached) == 2


async def test_a_key_that_the_offline_model_does_not_need_is_not_given_to_pods_either():
    world = World(secret(OTHER))
    found = await world.collect(spec_of(model=NAMES_ALL["model"] | {"provider": "offline"}))
    assert found.key is KeyState.NOT_NEEDED
    assert found.sources.api_key.name == "acme-credentials"
    assert any(NAME in trouble.message for trouble in found.troubles)


async def test_a_secret_that_becomes_another_companys_is_used_no_more_and_one_that_is_freed_is_used_again():
    world = World(secret())
    spec = spec_of(**NAMES_ALL)
    for held, names in (
        (secret(OTHER, version="2"), {"acme-credentials"}),
        (secret(version="3"), {NAME}),
    ):
        assert (await world.collect(spec)).sources is not None
        world.held = held
        assert names_of((await world.collect(spec)).sources) == names


@pytest.mark.parametrize(
    ("url", "port"),
    [(None, 443), ("http://gw", 80), ("https://gw:8443/v1", 8443), ("http://gw:80800", 443), ("http://[bad", 443)],
)
async def test_the_port_of_the_models_service_is_told_whatever_its_address(url, port):
    spec = spec_of(**NAMES_ALL)
    # As a resource that an older definition let in.
    model = spec.model.model_copy(update={"base_url": url})
    found = await World(secret()).collect(spec.model_copy(update={"model": model}))
    assert found.ports.model == port


async def test_of_several_hosts_the_first_ones_port_is_told():
    assert (await World(secret()).collect(spec_of(**NAMES_ALL))).ports.store == 6000
