"""Keys tell questions apart, only whole answers are kept, and only common ones renewed."""

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aicompany.caching.keep import as_cached, may_be_kept
from aicompany.caching.key import key_of
from aicompany.caching.renewal import RenewalPolicy, decide_renewals
from aicompany.ports.model import (
    ModelAnswer,
    ModelMessage,
    ModelRequest,
    OpaqueBlock,
    StopReason,
    TextBlock,
    ToolResultBlock,
    ToolSpec,
    ToolUseBlock,
)
from aicompany.ports.question_history import Expiring
from aicompany.spec.servers import CacheSpec
from aicompany.usage import NO_USAGE, Usage

texts = st.text(max_size=20)
leaves = st.none() | st.booleans() | st.integers(-1000, 1000) | st.floats(allow_nan=False) | texts
objects = st.dictionaries(
    texts, st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)),
    max_size=4,
)  # fmt: skip
blocks = (
    st.builds(TextBlock, text=texts)
    | st.builds(ToolUseBlock, id=texts, name=texts, input=objects)
    | st.builds(ToolResultBlock, tool_use_id=texts, content=texts, is_error=st.booleans())
    | st.builds(OpaqueBlock, data=objects)
)
messages = st.builds(
    ModelMessage, role=st.sampled_from(["user", "assistant"]), content=st.lists(blocks, max_size=3).map(tuple)
)
tools = st.builds(ToolSpec, name=texts, description=texts, input_schema=objects)
FIELDS = {
    "model": texts,
    "system": texts,
    "messages": st.lists(messages, max_size=3).map(tuple),
    "tools": st.lists(tools, max_size=2).map(tuple),
    "max_tokens": st.integers(1, 10_000),
    "output_schema": st.none() | objects,
}
requests = st.builds(ModelRequest, timeout_seconds=st.floats(1, 100), **FIELDS)


def shuffled(value, drawn):
    """The same JSON with the names of its objects in another order."""
    if isinstance(value, dict):
        names = drawn.draw(st.permutations(list(value)))
        return {name: shuffled(value[name], drawn) for name in names}
    if isinstance(value, list):
        return [shuffled(one, drawn) for one in value]
    return value


def canonical(value) -> str:
    return json.dumps(value, sort_keys=True)


@given(requests, st.data())
def test_the_order_of_names_makes_no_other_key(request, data):
    dumped = json.loads(request.model_dump_json())
    same = ModelRequest.model_validate(shuffled(dumped, data))
    assert key_of(same) == key_of(request)


@given(requests, st.sampled_from(sorted(FIELDS)), st.data())
def test_any_field_that_differs_makes_another_key(request, name, data):
    other = request.model_copy(update={name: data.draw(FIELDS[name])})
    same = canonical(other.model_dump(include={name})) == canonical(request.model_dump(include={name}))
    assert (key_of(other) == key_of(request)) == same


@given(requests, requests)
def test_two_questions_share_a_key_only_when_they_are_the_same(one, other):
    asked = set(FIELDS)
    same = canonical(one.model_dump(include=asked)) == canonical(other.model_dump(include=asked))
    assert (key_of(one) == key_of(other)) == same


@given(requests, st.floats(1, 100), st.booleans())
def test_how_long_the_caller_waits_and_for_what_makes_no_other_key(request, seconds, anew):
    assert key_of(request.model_copy(update={"timeout_seconds": seconds, "anew": anew})) == key_of(request)


def test_every_field_of_a_question_is_thought_of():
    assert set(ModelRequest.model_fields) == {*FIELDS, "timeout_seconds", "anew"}


def test_a_key_names_its_version():
    message = ModelMessage(role="user", content=(TextBlock(text="hi"),))
    key = key_of(ModelRequest(model="m", messages=(message,), max_tokens=1, timeout_seconds=1))
    assert key.startswith("answer1:")
    assert len(key) == len("answer1:") + 64


def answer(stop=StopReason.END_TURN, *content, **fields):
    return ModelAnswer(content=content, stop_reason=stop, usage=Usage(calls=1, input_tokens=5), model="m", **fields)


WORDS = TextBlock(text="words")
USE = ToolUseBlock(id="t", name="write_file", input={})


@pytest.mark.parametrize("stop", StopReason)
def test_only_whole_answers_are_kept(stop):
    whole = {StopReason.END_TURN, StopReason.STOP_SEQUENCE, StopReason.TOOL_USE}
    assert may_be_kept(answer(stop, WORDS, USE)) == (stop in whole)


@pytest.mark.parametrize(
    "empty", [answer(), answer(StopReason.END_TURN, TextBlock(text=" \n")), answer(StopReason.TOOL_USE, WORDS)]
)
def test_answers_that_say_nothing_are_not_kept(empty):
    assert not may_be_kept(empty)


def test_a_cached_answer_is_marked_costs_nothing_and_is_not_kept_again():
    given_before = answer(StopReason.END_TURN, WORDS, request_id="req_1")
    shown = as_cached(given_before)
    assert (shown.cached, shown.usage, shown.request_id) == (True, NO_USAGE, None)
    assert (shown.text, shown.model, shown.stop_reason) == ("words", "m", StopReason.END_TURN)
    assert not may_be_kept(shown)


expiring = st.builds(Expiring, key=texts, asked=st.integers(0, 20), fresh_seconds=st.floats(-10, 1000))
policies = st.builds(
    RenewalPolicy,
    asked_min=st.integers(1, 10),
    per_minute_max=st.integers(0, 5),
    horizon_seconds=st.floats(1, 300),
)


@given(st.lists(expiring, max_size=30, unique_by=lambda question: question.key), policies)
def test_only_common_questions_whose_answers_expire_soon_are_renewed(questions, policy):
    chosen = decide_renewals(questions, policy)
    by_key = {question.key: question for question in questions}
    assert len(chosen) <= policy.per_minute_max
    assert len(set(chosen)) == len(chosen)
    for key in chosen:
        assert by_key[key].asked >= policy.asked_min
        assert 0 < by_key[key].fresh_seconds <= policy.horizon_seconds


@given(st.lists(expiring, max_size=30, unique_by=lambda question: question.key), policies)
def test_what_was_asked_more_is_never_left_out_for_what_was_asked_less(questions, policy):
    chosen = set(decide_renewals(questions, policy))
    assume(chosen)
    least = min(question.asked for question in questions if question.key in chosen)
    left_out = [
        question
        for question in questions
        if question.key not in chosen
        and question.asked >= policy.asked_min
        and 0 < question.fresh_seconds <= policy.horizon_seconds
    ]
    assert all(question.asked <= least for question in left_out)


@given(st.lists(expiring, max_size=10, unique_by=lambda question: question.key), policies, st.randoms())
def test_the_order_in_which_questions_come_decides_nothing(questions, policy, random):
    other = list(questions)
    random.shuffle(other)
    assert decide_renewals(other, policy) == decide_renewals(questions, policy)


@given(st.floats(0.001, 1e7))
def test_the_horizon_is_a_part_of_the_answers_time(ttl_seconds):
    policy = RenewalPolicy.of(CacheSpec(ttl_seconds=ttl_seconds))
    assert 1 <= policy.horizon_seconds <= 300
    assert (policy.asked_min, policy.per_minute_max) == (3, 20)
