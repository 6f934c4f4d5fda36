"""What the model cost: tokens and money, adding up."""

from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field


class Usage(BaseModel):
    """Tokens and USD of one or many model calls. `Usage()` is none at all; `+` adds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    calls: int = Field(default=0, ge=0)
    input_tokens: int = Field(default=0, ge=0, description="Read at full price.")
    output_tokens: int = Field(default=0, ge=0)
    cache_read_tokens: int = Field(default=0, ge=0, description="Read from the provider's prompt cache.")
    cache_write_tokens: int = Field(default=0, ge=0, description="Written to the provider's prompt cache.")
    cost_usd: Decimal = Field(default=Decimal(0), ge=0, description="Of the calls whose model has a known price.")
    unpriced_calls: int = Field(default=0, ge=0, description="Calls of models without a known price.")

    @property
    def tokens(self) -> int:
        """All tokens, whatever their price."""
        return self.input_tokens + self.output_tokens + self.cache_read_tokens + self.cache_write_tokens

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            calls=self.calls + other.calls,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cache_read_tokens=self.cache_read_tokens + other.cache_read_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            cost_usd=self.cost_usd + other.cost_usd,
            unpriced_calls=self.unpriced_calls + other.unpriced_calls,
        )


NO_USAGE = Usage()
