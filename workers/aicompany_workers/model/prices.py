"""What tokens cost: a table kept as data, with its date."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from importlib.resources import files
from typing import Self

import structlog

from aicompany.usage import Usage

_MILLION = Decimal(1_000_000)
_DATED = re.compile(r"-\d{8}$")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens."""

    input: Decimal
    output: Decimal
    cache_write: Decimal
    cache_read: Decimal

    @classmethod
    def of_row(cls, row: Mapping[str, str]) -> Self:
        """The price in a row of the table."""
        return cls(**{name: Decimal(value) for name, value in row.items()})

    def cost_usd(self, usage: Usage) -> Decimal:
        """USD for these tokens."""
        return (
            usage.input_tokens * self.input
            + usage.output_tokens * self.output
            + usage.cache_write_tokens * self.cache_write
            + usage.cache_read_tokens * self.cache_read
        ) / _MILLION


@dataclass(frozen=True, slots=True)
class LongPrompt:
    """What a call costs whose prompt is longer than so many tokens."""

    above_tokens: int
    price: Price


@dataclass(slots=True)
class PriceTable:
    """Prices by model, and which models were asked for in vain."""

    date: date
    prices: Mapping[str, Price]
    long_prompts: Mapping[str, LongPrompt]
    _unknown: set[str] = field(default_factory=set)

    @classmethod
    def load(cls) -> Self:
        """The table that comes with the program."""
        text = files("aicompany_workers.model").joinpath("prices.toml").read_text(encoding="utf-8")
        table = tomllib.loads(text)
        return cls(
            table["date"],
            {model: Price.of_row(row) for model, row in table["models"].items()},
            {
                model: LongPrompt(row["above_tokens"], Price.of_row(row["price"]))
                for model, row in table["long_prompts"].items()
            },
        )

    def priced(self, model: str, usage: Usage) -> Usage:
        """The usage of one call with its cost; of a model without a price only the tokens, and that is logged once."""
        price = self._price_of(model, usage)
        if price is None:
            if model not in self._unknown:
                self._unknown.add(model)
                log.warning("model.price_unknown", model=model, prices_of=self.date.isoformat())
            return usage.model_copy(update={"unpriced_calls": usage.calls})
        return usage.model_copy(update={"cost_usd": price.cost_usd(usage)})

    def _price_of(self, model: str, usage: Usage) -> Price | None:
        family = model if model in self.prices else _DATED.sub("", model)
        long_prompt = self.long_prompts.get(family)
        prompt_tokens = usage.input_tokens + usage.cache_write_tokens + usage.cache_read_tokens
        if long_prompt is not None and prompt_tokens > long_prompt.above_tokens:
            return long_prompt.price
        return self.prices.get(family)
