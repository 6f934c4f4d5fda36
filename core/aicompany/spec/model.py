"""Which model answers, and how it is asked."""

from enum import StrEnum

from pydantic import Field, model_validator

from aicompany.spec.address import WebAddress
from aicompany.spec.secret_key import SecretKey, one_source
from aicompany.spec.section import Section


class Provider(StrEnum):
    """Who answers."""

    AUTO = "auto"
    """Claude when a key is there, the offline model otherwise."""
    ANTHROPIC = "anthropic"
    OFFLINE = "offline"


class ModelSpec(Section):
    """The model the workers talk to. The key never stands here: it comes from the environment or a file."""

    provider: Provider = Field(default=Provider.AUTO, description="Who answers: `auto`, `anthropic` or `offline`.")
    name: str = Field(
        default="claude-sonnet-5-5", min_length=1, description="Model to ask unless an agent names another."
    )
    base_url: WebAddress | None = Field(
        default=None,
        max_length=2000,
        description="Address of the Messages API; the SDK's own when not set, or `ANTHROPIC_BASE_URL`.",
    )
    api_key_file: str | None = Field(
        default=None, description="File that holds the key; otherwise `ANTHROPIC_API_KEY`."
    )
    api_key_secret: SecretKey | None = Field(
        default=None, description="Secret that holds the key, in a cluster; instead of `apiKeyFile`."
    )
    max_tokens: int = Field(default=8192, ge=1, le=128_000, description="Most tokens of one answer.")
    timeout_seconds: float = Field(default=300, gt=0, le=3600, description="Longest wait for one answer.")
    tool_rounds_max: int = Field(default=20, ge=1, le=200, description="Most model calls of one step.")
    concurrency: int = Field(default=500, ge=1, le=5000, description="Most calls in flight from one process.")

    @model_validator(mode="after")
    def _one_key(self) -> "ModelSpec":
        one_source(self, "api_key_file", "api_key_secret")
        return self
