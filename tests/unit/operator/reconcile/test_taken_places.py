"""A place that another company has: told as such, and no pods until it is settled."""

from datetime import UTC, datetime

import pytest
from tests.unit.operator.builders.blueprints import REF, spec_of

from aicompany_operator.observed.seen import Reason, Trouble
from aicompany_operator.reconcile.credentials import CredentialsKeeper
from aicompany_operator.reconcile.leftovers import Leftovers
from aicompany_operator.reconcile.memory import Memory
from aicompany_operator.reconcile.reconcile import _HOLDING
from aicompany_operator.reconcile.tools import Tools
from aicompany_operator.servers.errors import ServerRefused
from aicompany_operator.servers.owners import PlaceTaken, is_anothers, mark_of, owner_in
from aicompany_operator.settings import Settings


class Empty:
    """A cluster where nothing is."""

    async def get(self, resource, namespace, name):
        return None


class Place:
    """Makes one, or says why not."""

    def __init__(self, error=None):
        self.error = error

    async def ensure(self, company, password):
        if self.error is not None:
            raise self.error
        return f"amqp://acme:{password}@rabbit:5672/acme"


def tools_of(places):
    return Tools(
        settings=Settings(worker_image="registry.example/aicompany-worker:1"),
        api=Empty(),
        watched=None,
        places=places,
        leftovers=Leftovers(Empty(), "aicompany-system", places),
        depths=None,
        reach=None,
        check_key=None,
        now=lambda: datetime(2026, 1, 1, tzinfo=UTC),
        monotonic=lambda: 0.0,
        draw_password=lambda: "drawn",
    )


@pytest.mark.parametrize("comment", [None, "", "offices/acme", "aicompany.io/uid=", "aicompany.io"])
def test_a_comment_without_a_mark_is_nobodys(comment):
    assert owner_in(comment) is None
    assert not is_anothers(comment, REF)


def test_a_mark_counts_with_words_around_it():
    assert owner_in(mark_of(REF)) == REF.uid
    assert not is_anothers(f"the shop's; {mark_of(REF)}\nask Ann", REF)
    assert is_anothers("the shop's; aicompany.io/uid=other\nask Ann", REF)


@pytest.mark.parametrize(
    ("error", "reason"),
    [(PlaceTaken("it is another's"), Reason.NAME_TAKEN), (ServerRefused("no right"), Reason.STORE_REFUSES)],
)
async def test_the_trouble_says_what_it_is_and_holds_pods_back(error, reason):
    memory = Memory()
    spec = spec_of(model={"provider": "offline"})
    keeper = CredentialsKeeper(REF, spec, tools_of({"broker": Place(), "store": Place(error)}), memory)
    found = await keeper.collect(may_act=True)
    assert found.troubles == (Trouble(reason, str(error)),)
    assert reason in _HOLDING
    # Nor is it taken for made, so the next look tries again.
    assert set(memory.places) == {"broker"}
    assert "store-url" not in found.own
