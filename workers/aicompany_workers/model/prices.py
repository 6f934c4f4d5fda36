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


@dataclass(slots=True)
class PriceTable:
    """Prices by model, and which models were asked for in vain."""

    date: date
    prices: Mapping[str, Price]
    _unknown: set[str] = field(default_factory=set)

    @classmethod
    def load(cls) -> Self:
        """The table that comes with the program."""
        text = files("aicompany_workers.model").joinpath("prices.toml").read_text(encoding="utf-8")
        table = tomllib.loads(text)
        prices = {
            model: Price(**{name: Decimal(value) for name, value in row.items()})
            for model, row in table["models"].items()
        }
        return cls(table["date"], prices)

    def priced(self, model: str, usage: Usage) -> Usage:
        """The usage of one call with its cost; of a model without a price only the tokens, and that is logged once."""
        price = self.prices.get(model) or self.prices.get(_DATED.sub("", model))
        if price is None:
            if model not in self._unknown:
                self._unknown.add(model)
                log.warning("model.price_unknown", model=model, prices_of=self.date.isoformat())
            return usage.model_copy(update={"unpriced_calls": usage.calls})
        cost = (
            usage.input_tokens * price.input
            + usage.output_tokens * price.output
            + usage.cache_write_tokens * price.cache_write
            + usage.cache_read_tokens * price.cache_read
        ) / _MILLION
        return usage.model_copy(update={"cost_usd": cost})
