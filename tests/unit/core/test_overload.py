"""Overload: one step at a time, no flapping, never moved by what is unknown, and back by itself."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from aicompany.observation import Unknown
from aicompany.overload.decide import (
    STEPS,
    OverloadHistory,
    OverloadObservation,
    OverloadStep,
    decide_overload,
)
from aicompany.spec.overload import OverloadSpec

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CALM = OverloadObservation(0.0, 0.0, breaker_open=False)
unknown = st.just(Unknown("broker away"))
observations = st.builds(
    OverloadObservation,
    waiting_per_place=st.floats(0, 5000) | unknown,
    refused_share=st.floats(0, 1) | unknown,
    breaker_open=st.booleans() | unknown,
)
policies = st.builds(
    OverloadSpec,
    leave_share=st.floats(0, 0.99),
    enter_looks=st.integers(1, 5),
    leave_looks=st.integers(1, 5),
)
histories = st.builds(
    OverloadHistory,
    step=st.sampled_from(OverloadStep),
    pressed_looks=st.integers(0, 5),
    calm_looks=st.integers(0, 5),
)


def steps_of(trace, policy, past=None):
    past, steps = past or OverloadHistory(), []
    for seen in trace:
        decided = decide_overload(seen, past, policy, NOW)
        past = decided.history
        steps.append(decided.step)
    return steps


@given(observations, histories, policies)
def test_one_step_at_a_time_with_a_reason(seen, past, policy):
    decided = decide_overload(seen, past, policy, NOW)
    assert abs(decided.step.level - past.step.level) <= 1
    assert decided.reason.summary
    assert len(decided.reason.signals) == 3
    assert decided.history.step is decided.step


@given(observations, histories, policies)
def test_what_does_not_change_moves_in_one_direction_only(seen, past, policy):
    levels = [past.step.level, *(step.level for step in steps_of([seen] * 60, policy, past))]
    assert levels in (sorted(levels), sorted(levels, reverse=True))
    assert len(set(levels[-20:])) == 1


@given(st.lists(observations, max_size=30), histories, policies)
def test_it_comes_back_when_nothing_presses(trace, past, policy):
    looks = policy.leave_looks * (len(STEPS) - 1)
    steps = steps_of([*trace, *[CALM] * looks], policy, past)
    assert steps[-1] is OverloadStep.NONE


@given(histories, policies, st.sampled_from(["waiting_per_place", "refused_share", "breaker_open"]))
def test_unknown_neither_raises_nor_lowers(past, policy, name):
    parts = {"waiting_per_place": 0.0, "refused_share": 0.0, "breaker_open": False} | {name: Unknown("not told")}
    assert set(steps_of([OverloadObservation(**parts)] * 40, policy, past)) == {past.step}


def test_pressure_takes_all_steps_in_their_order():
    policy = OverloadSpec(enter_looks=3)
    steps = steps_of([OverloadObservation(0.0, 0.6, breaker_open=False)] * 13, policy)
    assert steps[1::3] == list(STEPS[:4])
    assert steps[-1] is OverloadStep.LOW_ORDERS_REFUSED
    assert steps[-1].includes(OverloadStep.LOW_LANE_PAUSED)
    assert not OverloadStep.LOW_LANE_PAUSED.includes(OverloadStep.SMALLER_MODEL)


def test_a_look_without_pressure_begins_the_count_anew():
    pressed = OverloadObservation(0.0, 0.0, breaker_open=True)
    steps = steps_of([pressed, pressed, CALM, pressed, pressed], OverloadSpec(enter_looks=3))
    assert set(steps) == {OverloadStep.NONE}
