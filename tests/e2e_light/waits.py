"""Waiting for a cluster: it is asked a few times a second, not a hundred."""

from tests.waiting import eventually


async def become(probe, *, within_seconds=20):
    """The first truthy value."""
    return await eventually(probe, within_seconds=within_seconds, every_seconds=0.3)


async def ready(place, name="acme", *, within_seconds=60):
    """Return when the company is ready and nothing moves any more."""
    await become(lambda: place.holds(name, "Ready", "True"), within_seconds=within_seconds)
    await become(lambda: place.holds(name, "Progressing", "False"), within_seconds=within_seconds)


async def changes(operator, act):
    """Do it, and return when the operator has looked at it."""
    looked = operator.total("aicompany_operator_reconciles_total")
    act()
    await become(lambda: operator.total("aicompany_operator_reconciles_total") > looked)
