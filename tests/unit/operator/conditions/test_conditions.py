"""Situations in, conditions out."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.operator.builders.blueprints import spec_of

from aicompany.observation import Unknown
from aicompany.ports.cluster import WorkerGroup
from aicompany_operator.conditions.condition import Condition, Status, merged
from aicompany_operator.conditions.credentials import credentials
from aicompany_operator.conditions.degraded import degraded
from aicompany_operator.conditions.progressing import progressing
from aicompany_operator.conditions.ready import ready
from aicompany_operator.conditions.resting import hibernated, paused
from aicompany_operator.conditions.status import (
    Place,
    conditions_of,
    conditions_of_invalid,
    status_of,
    workforce_of,
)
from aicompany_operator.crd.status import CompanyStatus
from aicompany_operator.names import GATEWAY
from aicompany_operator.observed.seen import KeyState, Reason, Seen, SeenDeployment, SeenPod, Trouble

PM = WorkerGroup("pm")
GOOD = SeenDeployment(wanted=1, ready=1, updated=1, total=1, is_observed=True)
WELL = Seen(
    groups={PM: 1, GATEWAY: 1},
    deployments={PM: GOOD, GATEWAY: GOOD},
    pods=(),
    key=KeyState.NOT_NEEDED,
    troubles=(),
    queued={PM: 4},
    applied=0,
)
ASLEEP = replace(
    WELL,
    groups={PM: 0, GATEWAY: 0},
    deployments=dict.fromkeys((PM, GATEWAY), SeenDeployment(0, 0, 0, 0, is_observed=True)),
)
POD = SeenPod("acme-pm-1", PM, is_ready=False, is_ending=False, restarts=3)
CRASHING = Trouble(Reason.PODS_CRASHING, "pod acme-pm-1 ended 3 times")
NO_SECRET = Trouble(Reason.SECRET_MISSING, "there is no Secret claude; create it")
UNREACHABLE = Trouble(Reason.BROKER_UNREACHABLE, "nobody listens at rabbit:5672")
FORBIDDEN = Trouble(Reason.PODS_FORBIDDEN, "exceeded quota")


def with_pm(**changes):
    return replace(WELL, deployments={**WELL.deployments, PM: replace(GOOD, **changes)})


@pytest.mark.parametrize(
    ("seen", "status", "reason"),
    [
        (WELL, "True", Reason.ALL_READY),
        (with_pm(ready=0), "False", Reason.PODS_STARTING),
        (with_pm(is_observed=False), "True", Reason.ALL_READY),
        (replace(WELL, deployments={PM: GOOD}), "False", Reason.PODS_STARTING),
        (replace(with_pm(ready=0), pods=(replace(POD, trouble=CRASHING),)), "False", Reason.PODS_CRASHING),
        (replace(with_pm(ready=0), troubles=(UNREACHABLE,)), "False", Reason.BROKER_UNREACHABLE),
        (with_pm(ready=0, trouble=FORBIDDEN), "False", Reason.PODS_FORBIDDEN),
        (replace(WELL, key=KeyState.REJECTED), "False", Reason.KEY_REJECTED),
        (replace(WELL, key=KeyState.UNCHECKED), "True", Reason.ALL_READY),
        (with_pm(wanted=1, ready=2, total=2), "True", Reason.ALL_READY),
    ],
)
def test_ready(seen, status, reason):
    told = ready(seen, hibernated=False)
    assert (told.status, told.reason) == (status, reason)


def test_what_is_not_ready_yet_is_named_with_its_figures():
    assert "pm 0/1" in ready(with_pm(ready=0), hibernated=False).message
    assert "gateway 0/1" in ready(replace(WELL, deployments={PM: GOOD}), hibernated=False).message


def test_a_hibernated_company_is_not_ready():
    told = ready(ASLEEP, hibernated=True)
    assert (told.status, told.reason) == ("False", Reason.HIBERNATED)


@pytest.mark.parametrize(
    ("seen", "status"),
    [
        (WELL, "False"),
        (ASLEEP, "False"),
        (with_pm(updated=0), "True"),
        (with_pm(total=2), "True"),
        (with_pm(is_observed=False), "True"),
        (replace(WELL, deployments={}), "True"),
    ],
)
def test_progressing(seen, status):
    assert progressing(seen).status == status


@pytest.mark.parametrize(
    ("seen", "status", "reason", "words"),
    [
        (WELL, "False", Reason.NOTHING_WRONG, "nothing is wrong"),
        (replace(WELL, troubles=(UNREACHABLE,)), "True", Reason.BROKER_UNREACHABLE, "rabbit:5672"),
        (replace(WELL, troubles=(UNREACHABLE, UNREACHABLE)), "True", Reason.BROKER_UNREACHABLE, "rabbit:5672"),
        (replace(with_pm(trouble=FORBIDDEN), troubles=(NO_SECRET,)), "True", Reason.SECRET_MISSING, "(and 1 more)"),
        (replace(WELL, pods=(replace(POD, trouble=CRASHING),)), "True", Reason.PODS_CRASHING, "acme-pm-1"),
        (replace(WELL, key=KeyState.REJECTED), "True", Reason.KEY_REJECTED, "spec.model.apiKeySecret"),
        (replace(WELL, key=KeyState.REJECTED, troubles=(UNREACHABLE,)), "True", Reason.BROKER_UNREACHABLE, "1 more"),
        (replace(with_pm(trouble=FORBIDDEN), key=KeyState.REJECTED), "True", Reason.KEY_REJECTED, "1 more"),
        (replace(WELL, key=KeyState.ACCEPTED), "False", Reason.NOTHING_WRONG, "nothing is wrong"),
        (replace(WELL, key=KeyState.UNCHECKED), "False", Reason.NOTHING_WRONG, "nothing is wrong"),
        (replace(WELL, pods=(replace(POD, trouble=CRASHING, is_ending=True),)), "False", Reason.NOTHING_WRONG, ""),
    ],
)
def test_degraded(seen, status, reason, words):
    told = degraded(seen)
    assert (told.status, told.reason) == (status, reason)
    assert words in told.message


@pytest.mark.parametrize(
    ("seen", "status", "reason"),
    [
        (WELL, "True", Reason.NO_KEY_NEEDED),
        (replace(WELL, key=KeyState.ACCEPTED), "True", Reason.KEY_ACCEPTED),
        (replace(WELL, key=KeyState.REJECTED), "False", Reason.KEY_REJECTED),
        (replace(WELL, key=KeyState.UNCHECKED), "Unknown", Reason.KEY_UNCHECKED),
        (replace(WELL, key=KeyState.UNCHECKED, troubles=(UNREACHABLE, NO_SECRET)), "False", Reason.SECRET_MISSING),
    ],
)
def test_credentials(seen, status, reason):
    told = credentials(seen)
    assert (told.status, told.reason) == (status, reason)


@pytest.mark.parametrize(
    ("seen", "wanted", "status", "reason"),
    [
        (WELL, False, "False", Reason.AWAKE),
        (WELL, True, "False", Reason.HIBERNATING),
        (replace(ASLEEP, pods=(replace(POD, is_ending=True),)), True, "False", Reason.HIBERNATING),
        (ASLEEP, True, "True", Reason.HIBERNATED),
    ],
)
def test_hibernated(seen, wanted, status, reason):
    told = hibernated(seen, wanted)
    assert (told.status, told.reason) == (status, reason)


def test_paused():
    assert paused(True).status is Status.TRUE
    assert paused(False).status is Status.FALSE


EARLY, LATE = "2030-01-01T00:00:00Z", "2030-01-01T00:10:00Z"
CONDITIONS = st.lists(
    st.builds(Condition, st.sampled_from("ABC"), st.sampled_from(Status), st.sampled_from(Reason), st.text(max_size=5)),
    unique_by=lambda condition: condition.type,
)


@given(CONDITIONS)
def test_what_did_not_change_is_equal_whenever_it_is_said(conditions):
    before = merged(conditions, (), generation=1, now=EARLY)
    assert merged(conditions, before, generation=1, now=LATE) == before


@given(CONDITIONS, CONDITIONS)
def test_the_time_of_transition_moves_with_the_status_and_with_nothing_else(earlier, later):
    before = merged(earlier, (), generation=1, now=EARLY)
    known = {condition.type: condition.status for condition in earlier}
    for told in merged(later, before, generation=2, now=LATE):
        kept = known.get(told["type"]) == told["status"]
        assert told["lastTransitionTime"] == (EARLY if kept else LATE)
        assert told["observedGeneration"] == 2


PLACE = Place("worker:1", "http://acme-gateway.offices.svc:8700", "aicompany.offices.acme", "external")


@pytest.mark.parametrize(
    "seen",
    [
        WELL,
        ASLEEP,
        with_pm(ready=0, trouble=FORBIDDEN),
        replace(WELL, queued=Unknown("no metrics"), key=KeyState.UNCHECKED, troubles=(NO_SECRET,), deployments={}),
    ],
)
@pytest.mark.parametrize("sections", [{}, {"paused": True}, {"hibernated": True}])
def test_the_status_has_the_shape_of_the_definition(seen, sections):
    conditions = conditions_of(spec_of(**sections), seen)
    status = status_of(conditions, {}, generation=7, now=EARLY) | workforce_of(seen, PLACE)
    told = CompanyStatus.model_validate(status)
    assert told.observed_generation == 7
    assert len({condition.type for condition in told.conditions}) == len(told.conditions) == 6


def test_the_status_of_what_cannot_be_read_has_it_too():
    conditions = conditions_of_invalid(["spec.agents: none is the fallback", "spec.broker: too long"])
    told = CompanyStatus.model_validate(status_of(conditions, {}, generation=1, now=EARLY))
    assert {condition.reason for condition in told.conditions} == {"SpecInvalid"}
    assert "none is the fallback; spec.broker" in told.conditions[0].message


def test_figures_of_the_workforce():
    told = workforce_of(with_pm(wanted=2, ready=1), PLACE)
    assert (told["workers"], told["queued"]) == ("2/2", "4")
    assert [group["name"] for group in told["groups"]] == ["gateway", "pm"]
    assert [group.get("queued") for group in told["groups"]] == [None, 4]


def test_depths_that_are_unknown_are_no_noughts():
    told = workforce_of(replace(WELL, queued=Unknown("no metrics")), PLACE)
    assert told["queued"] == "?"
    assert not any("queued" in group for group in told["groups"])
