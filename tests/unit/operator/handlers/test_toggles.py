"""Waiting for all of many toggles: nobody waits longer than with kopf's own, and few are woken."""

import asyncio
from functools import cache
from importlib.util import find_spec, module_from_spec

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kopf._cogs.aiokits.aiotoggles import ToggleSet

from aicompany_operator.handlers.toggles import FrugalToggleSet, make_kopf_frugal

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("make"), st.booleans()),
        st.tuples(st.just("drop"), st.integers(0, 9)),
        st.tuples(st.just("turn"), st.integers(0, 9), st.booleans()),
        st.tuples(st.just("drop all")),
    ),
    max_size=20,
)


@cache
def as_installed():
    """kopf's module once more, as its authors wrote it."""
    spec = find_spec("kopf._cogs.aiokits.aiotoggles")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def carried_out(toggles, steps):
    """The states after each step, and how many of the waiting tasks had ended by then."""
    made, waiting, seen = [], [], []
    for step in steps:
        waiting += [asyncio.create_task(toggles.wait_for(state)) for state in (True, False)]
        match step:
            case ("make", state):
                made.append(await toggles.make_toggle(state))
            case ("drop", number) if made:
                await toggles.drop_toggle(made.pop(number % len(made)))
            case ("turn", number, state) if made:
                await made[number % len(made)].turn_to(state)
            case ("drop all",):
                await toggles.drop_toggles(made)
                made.clear()
        for _ in range(3 * len(waiting)):
            await asyncio.sleep(0)
        seen.append((toggles.is_on(), len(toggles), [task.done() for task in waiting]))
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    return seen


@pytest.mark.parametrize("fold", [all, any])
@given(steps=STEPS)
def test_it_behaves_as_kopfs_own(fold, steps):
    ours = asyncio.run(carried_out(FrugalToggleSet(fold), steps))
    assert ours == asyncio.run(carried_out(as_installed().ToggleSet(fold), steps))


async def test_of_a_thousand_that_wait_each_is_woken_once():
    woken = 0

    class Counting(FrugalToggleSet):
        def is_on(self):
            nonlocal woken
            woken += 1
            return super().is_on()

    toggles = Counting(all)
    made = [await toggles.make_toggle() for _ in range(1000)]
    waiting = [asyncio.create_task(toggles.wait_for(True)) for _ in made]
    await asyncio.sleep(0)
    for toggle in made:
        await toggles.drop_toggle(toggle)
    async with asyncio.timeout(20):
        await asyncio.gather(*waiting)
    assert woken < 10 * len(made)


def test_kopfs_own_sets_are_changed():
    make_kopf_frugal()
    make_kopf_frugal()
    assert ToggleSet.drop_toggle is FrugalToggleSet.drop_toggle
