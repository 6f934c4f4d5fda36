"""What was asked for is compared with what the API server keeps."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.operator.builders.blueprints import blueprint_of

from aicompany_operator.builders.company import build_all
from aicompany_operator.observed.differences import correction, differences

WORDS = st.text("abcd", min_size=1, max_size=3)
LEAVES = st.one_of(WORDS, st.integers(0, 9), st.booleans())
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.dictionaries(WORDS, inner, min_size=1, max_size=3), st.lists(inner, min_size=1, max_size=3)
    ),
    max_leaves=12,
)
MANIFESTS = st.dictionaries(WORDS, TREES, min_size=1, max_size=4)


def with_defaults(value):
    """As a server keeps it: every map has something more."""
    match value:
        case dict():
            return {key: with_defaults(inner) for key, inner in value.items()} | {"defaulted": "by the server"}
        case list():
            return [with_defaults(inner) for inner in value]
        case _:
            return value


def leaves(value, place=""):
    """Place → how to set it, of every value that is neither map nor list."""
    match value:
        case dict():
            for key, inner in value.items():
                here = f"{place}.{key}".lstrip(".")
                yield from [(here, value, key)] if not isinstance(inner, dict | list) else leaves(inner, here)
        case list():
            for index, inner in enumerate(value):
                here = f"{place}[{index}]"
                yield from [(here, value, index)] if not isinstance(inner, dict | list) else leaves(inner, here)


@given(MANIFESTS)
def test_what_the_server_adds_is_no_difference(manifest):
    assert list(differences(manifest, with_defaults(manifest))) == []


@given(MANIFESTS, st.data())
def test_a_changed_value_is_found_with_its_place_and_nothing_else_is(manifest, data):
    live = with_defaults(copy.deepcopy(manifest))
    known = {place for place, _, _ in leaves(manifest)}
    place, holder, key = data.draw(
        st.sampled_from([found for found in leaves(live) if found[0] in known]), label="changed"
    )
    holder[key] = "changed by hand"
    assert list(differences(manifest, live)) == [place]


@given(MANIFESTS, st.data())
def test_a_value_that_is_taken_out_is_found(manifest, data):
    live = copy.deepcopy(manifest)
    key = data.draw(st.sampled_from(sorted(manifest)))
    del live[key]
    assert list(differences(manifest, live)) == [key]


@pytest.mark.parametrize("other", [[], ["b"], ["b", "a"], ["a", "b", "c"]])
def test_a_list_is_compared_as_a_whole(other):
    assert list(differences({"list": ["a", "b"]}, {"list": other}))


@pytest.mark.parametrize("empty", [{}, [], ""])
def test_what_is_empty_may_be_left_out_by_the_server(empty):
    assert list(differences({"entry": empty}, {})) == []


@pytest.mark.parametrize("wanted", [False, 0])
def test_no_and_nought_are_not_the_same_as_nothing_said(wanted):
    """`allowPrivilegeEscalation: false` taken out means that it is allowed."""
    assert list(differences({"entry": wanted}, {})) == ["entry"]


@pytest.mark.parametrize(("wanted", "live"), [(1, "1"), ({}, []), ("x", {"x": 1}), ([1], {})])
def test_values_of_different_types_differ(wanted, live):
    assert list(differences({"entry": wanted}, {"entry": live})) == ["entry"]


def test_every_value_of_a_built_company_is_looked_at():
    for manifest in build_all(blueprint_of()):
        for place, _, _ in leaves(manifest):
            live = copy.deepcopy(manifest)
            (holder, key) = next((holder, key) for found, holder, key in leaves(live) if found == place)
            holder[key] = "changed by hand"
            assert list(differences(manifest, live)) == [place], manifest["kind"]


@pytest.mark.parametrize("place", ["data", "selector", "matchLabels", "podSelector"])
def test_what_is_added_to_a_selector_or_to_data_is_a_difference(place):
    wanted, live = {"spec": {place: {"a": "b"}}}, {"spec": {place: {"a": "b", "by": "hand"}}}
    assert list(differences(wanted, live)) == [f"spec.{place}.by"]
    assert correction(wanted, live) == {"spec": {place: {"a": "b", "by": None}}}


def merge_patched(live, patch):
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(live) if isinstance(live, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patched(merged.get(key), value)
    return merged


@given(MANIFESTS, MANIFESTS)
def test_what_is_corrected_does_not_differ(wanted, other):
    wanted, live = {"spec": wanted, "data": {"a": "b"}}, {"spec": other, "data": {"c": "d"}}
    assert list(differences(wanted, merge_patched(live, correction(wanted, live)))) == []
