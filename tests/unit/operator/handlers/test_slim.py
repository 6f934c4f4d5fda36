"""What kopf is told of objects."""

import pytest
from kopf._cogs.clients import fetching, watching

from aicompany_operator.handlers.slim import make_kopf_slim, slimmed


def body(kind, **labels):
    metadata = {"name": "one", "managedFields": [{"manager": "kubectl"}], "labels": labels}
    return {"kind": kind, "metadata": metadata, "data": {"key": "c2VjcmV0"}}


def test_the_bookkeeping_of_owners_goes():
    assert slimmed(body("ConfigMap")) == {
        "kind": "ConfigMap",
        "metadata": {"name": "one", "labels": {}},
        "data": {"key": "c2VjcmV0"},
    }


@pytest.mark.parametrize(("labels", "is_kept"), [({"aicompany.io/company": "acme"}, True), ({"app": "theirs"}, False)])
def test_values_of_secrets_are_a_companys_own_or_gone(labels, is_kept):
    assert ("data" in slimmed(body("Secret", **labels))) is is_kept


def test_an_error_of_the_watch_goes_through():
    assert slimmed({"kind": "Status", "code": 410, "metadata": {}}) == {"kind": "Status", "code": 410, "metadata": {}}


async def test_kopfs_lists_are_slim_and_changed_once(monkeypatch):
    async def fetch_objs(**_):
        yield [body("Secret")], "7"

    monkeypatch.setattr(fetching, "fetch_objs", fetch_objs)
    monkeypatch.setattr(watching, "watch_objs", watching.watch_objs)
    make_kopf_slim()
    once = fetching.fetch_objs
    make_kopf_slim()
    assert fetching.fetch_objs is once
    chunks = [chunk async for chunk in once(resource="secrets")]
    assert chunks == [([{"kind": "Secret", "metadata": {"name": "one", "labels": {}}}], "7")]


async def test_kopfs_watches_are_slim(monkeypatch):
    async def watch_objs(**_):
        yield {"type": "ADDED", "object": body("Secret")}

    monkeypatch.setattr(fetching, "fetch_objs", lambda **_: None)
    monkeypatch.setattr(watching, "watch_objs", watch_objs)
    make_kopf_slim()
    events = [event async for event in watching.watch_objs(since="7")]
    assert events == [{"type": "ADDED", "object": {"kind": "Secret", "metadata": {"name": "one", "labels": {}}}}]
