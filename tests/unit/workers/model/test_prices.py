"""What a call costs, and what happens to a model that nobody knows."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from aicompany.spec.model import ModelSpec
from aicompany.usage import Usage
from aicompany_workers.model.prices import PriceTable

TABLE = PriceTable.load()
TOKENS = st.integers(min_value=0, max_value=10**7)
USAGES = st.builds(
    Usage,
    calls=st.just(1),
    input_tokens=TOKENS,
    output_tokens=TOKENS,
    cache_read_tokens=TOKENS,
    cache_write_tokens=TOKENS,
)


def call(**tokens):
    return Usage(calls=1, **tokens)


def test_each_sort_of_token_has_its_own_price():
    million = 1_000_000
    cost = {
        field: TABLE.priced("claude-sonnet-5-5", call(**{field: million})).cost_usd
        for field in ("input_tokens", "output_tokens", "cache_write_tokens", "cache_read_tokens")
    }
    assert list(cost.values()) == [Decimal(2), Decimal(10), Decimal("2.5"), Decimal("0.1")]


def test_money_is_exact():
    assert TABLE.priced("claude-opus-5-5", call(input_tokens=1, output_tokens=1)).cost_usd == Decimal("0.000024")


@pytest.mark.parametrize("prompt", [{"input_tokens": 100_000}, {"cache_read_tokens": 60_000, "input_tokens": 40_000}])
def test_up_to_the_bound_a_prompt_is_short(prompt):
    price = TABLE.prices["claude-haiku-5-5"]
    assert TABLE.priced("claude-haiku-5-5", call(**prompt)).cost_usd == price.cost_usd(call(**prompt))


@pytest.mark.parametrize(
    "prompt",
    [{"input_tokens": 100_001}, {"cache_read_tokens": 100_000, "input_tokens": 1}, {"cache_write_tokens": 200_000}],
)
def test_above_the_bound_every_token_of_the_call_costs_more(prompt):
    usage = call(output_tokens=10, **prompt)
    assert TABLE.priced("claude-haiku-5-5", usage).cost_usd == 5 * TABLE.prices["claude-haiku-5-5"].cost_usd(usage)


@pytest.mark.parametrize(
    ("dated", "family"),
    [("claude-haiku-4-5-20251001", "claude-haiku-4-5"), ("claude-haiku-5-5-20261007", "claude-haiku-5-5")],
)
def test_a_dated_model_costs_what_its_family_costs(dated, family):
    usage = call(input_tokens=150_000, output_tokens=20)
    assert TABLE.priced(dated, usage) == TABLE.priced(family, usage)
    assert TABLE.priced(dated, usage).cost_usd > 0


@pytest.mark.parametrize("model", ["claude-of-the-future", "claude-opus", "claude-opus-5-50", "", "offline"])
def test_a_model_without_a_price_is_counted_not_guessed(model):
    priced = TABLE.priced(model, call(input_tokens=7))
    assert (priced.input_tokens, priced.cost_usd, priced.unpriced_calls) == (7, 0, 1)


def test_a_model_without_a_price_is_logged_once():
    table = PriceTable.load()
    with capture_logs() as lines:
        for _ in range(3):
            table.priced("claude-of-the-future", call())
        table.priced("claude-sonnet-5-5", call())
    assert [(line["event"], line["model"]) for line in lines] == [("model.price_unknown", "claude-of-the-future")]


def test_the_model_that_is_asked_by_default_has_a_price():
    assert ModelSpec().name in TABLE.prices


@given(st.sampled_from(sorted(TABLE.prices)), USAGES)
def test_pricing_changes_nothing_but_the_price(model, usage):
    priced = TABLE.priced(model, usage)
    assert priced.cost_usd >= 0
    assert priced.model_copy(update={"cost_usd": Decimal(0)}) == usage


@given(st.sampled_from(sorted(TABLE.prices)), USAGES)
def test_more_tokens_never_cost_less(model, usage):
    for name in ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"):
        more = usage.model_copy(update={name: getattr(usage, name) + 1})
        assert TABLE.priced(model, more).cost_usd > TABLE.priced(model, usage).cost_usd
