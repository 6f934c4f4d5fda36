"""Mistakes as sentences: always one for each, never endless, with the place and what would be right."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from aicompany.spec.company import AICompany
from aicompany.spec.explain import mistakes_of, path_of

GOOD = {"apiVersion": "aicompany.io/v1alpha1", "kind": "AICompany", "metadata": {"name": "acme"}}
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=200) | st.dates()
ANYTHING = st.recursive(
    SCALARS, lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=9), below, max_size=3)
)


def mistakes(document):
    try:
        AICompany.model_validate(document, by_name=False)
    except ValidationError as error:
        return mistakes_of(error, AICompany)
    return []


def one(spec):
    (mistake,) = mistakes({**GOOD, "spec": spec})
    return mistake.sentence()


def known_paths():
    model = AICompany.model_json_schema(by_alias=True)

    def below(schema, place):
        schema = model["$defs"][schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema
        for name, part in schema.get("properties", {}).items():
            yield (*place, name)
            yield from below(part, (*place, name))

    return sorted(below(model, ()))


@given(st.sampled_from(known_paths()), ANYTHING)
def test_whatever_stands_in_a_field_is_right_or_told_in_one_short_line_each(place, value):
    document = json.loads(json.dumps(GOOD))
    section = document
    for key in place[:-1]:
        section = section.setdefault(key, {})
    section[place[-1]] = value
    for mistake in mistakes(document):
        sentence = mistake.sentence()
        assert sentence.startswith(path_of(mistake.place))
        assert len(sentence) < 600
        assert "pydantic" not in sentence
        assert "Spec" not in sentence.replace(str(value), "")


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"worker": {}}, "spec.worker: unknown field; did you mean `workers`?"),
        ({"model": {"max_tokens": 5}}, "spec.model.max_tokens: unknown field; did you mean `maxTokens`?"),
        ({"model": {"name": 3}}, "spec.model.name: 3 is not text; put it in quotes"),
        ({"model": {"name": ["a"]}}, "spec.model.name: a list is not text"),
        ({"gateway": {"port": "http"}}, "spec.gateway.port: 'http' is not a whole number"),
        ({"agents": "writer"}, "spec.agents: 'writer' is not a list (a `- …` line for each entry)"),
        ({"agents": []}, "spec.agents: is too short a list; it needs 1 or more"),
        (None, "spec: is empty; write a section (`key: value` lines) there, or take the line out"),
        (
            {"workers": {"task": {"max": 500}}},
            "spec.workers.task.max: 500 is out of range; it should be less than or equal to 100",
        ),
    ],
)
def test_sentences_say_what_would_be_right(spec, sentence):
    assert one(spec) == sentence


def test_a_wrong_entry_does_not_make_its_list_too_short_as_well():
    assert [m.place for m in mistakes({**GOOD, "spec": {"agents": [{"name": "a", "nme": "b"}]}})] == [
        ("spec", "agents", 0, "nme")
    ]


def test_a_mistake_is_told_by_the_line_or_by_the_variable_that_made_it():
    (mistake,) = mistakes({**GOOD, "spec": {"workers": {"task": {"max": 0}}}})
    place = ("spec", "workers", "task", "max")
    assert mistake.sentence({place[:2]: 7}).startswith("spec.workers.task.max (line 7): 0 is out of range")
    assert mistake.sentence({place: 7}, {place: "A__B"}).startswith("A__B (spec.workers.task.max): 0 is out of range")
    (mistake,) = mistakes({**GOOD, "spec": {"workers": {"task": {"min": 4, "max": 2}}}})
    assert mistake.sentence({}, {place: "A__B"}).endswith("(A__B being set)")


def test_what_is_endless_is_not_shown_whole():
    bomb = ["x"]
    for _ in range(60):
        bomb = [bomb, bomb]
    endless = []
    endless.append(endless)
    for value in (bomb, endless, "y" * 1_000_000):
        for mistake in mistakes({**GOOD, "spec": {"agents": [value], "model": {"name": [value]}}}):
            assert len(mistake.sentence()) < 200
