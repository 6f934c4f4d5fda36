"""What `kubectl aicompany` prints: whole, and never a secret."""

import pytest

from aicompany.observation import Unknown
from aicompany_desk.cluster.company import CompanyThere
from aicompany_desk.kubectl.report import without_secrets
from aicompany_desk.kubectl.status import events_told, text_of


@pytest.mark.parametrize("resource", [{}, {"status": {}}, {"status": {"groups": [], "conditions": []}}])
def test_a_status_with_nothing_in_it_is_a_page(resource):
    page = text_of(CompanyThere("default", "acme", resource), [])
    assert "default/acme" in page
    assert "has not looked at it yet" in page
    assert "no condition yet" in page


def test_a_depth_that_is_unknown_is_not_zero():
    groups = [{"name": "pm", "role": "pm", "desired": 1, "ready": 0}]
    page = text_of(CompanyThere("default", "acme", {"status": {"groups": groups, "queued": "?"}}), [])
    assert next(line.split() for line in page.splitlines() if line.startswith("pm")) == ["pm", "0/1", "?", "-"]


def test_events_that_may_not_be_read_are_not_none():
    assert events_told([]) == {"events": []}
    assert events_told(Unknown("forbidden")) == {"events": None, "eventsUnknown": "forbidden"}
    assert "Events are not known: forbidden" in text_of(CompanyThere("default", "acme", {}), Unknown("forbidden"))


def test_passwords_and_keys_are_taken_out_wherever_they_stand():
    key = "sk-ant-api03-abcdefgh"
    told = {
        "a": [f"key {key}: no", {"b": "cannot reach amqp://user:pa55@rabbit/x, postgresql://u:0ther@pg/x"}],
        "n": 3,
        "none": None,
    }
    assert without_secrets(told) == {
        "a": ["key ***: no", {"b": "cannot reach amqp://user:***@rabbit/x, postgresql://u:***@pg/x"}],
        "n": 3,
        "none": None,
    }
