"""Where the company touches the machine: gateway, logs, health."""

from enum import StrEnum

from pydantic import Field, model_validator

from aicompany.spec.secret_key import SecretKey, one_source
from aicompany.spec.section import Section


class GatewaySpec(Section):
    """The HTTP door."""

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8700, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    token_file: str | None = Field(
        default=None,
        description="File that holds the bearer token callers must show; `AICOMPANY_TOKEN` otherwise.",
    )
    token_secret: SecretKey | None = Field(
        default=None,
        description="Secret that holds the token, in a cluster; instead of `tokenFile`. The operator makes a token "
        "when neither is set.",
    )
    request_bytes_max: int = Field(default=4_194_304, ge=1024, description="Largest request body.")

    @model_validator(mode="after")
    def _one_token(self) -> "GatewaySpec":
        one_source(self, "token_file", "token_secret")
        return self


class LogLevel(StrEnum):
    """Least severe line that is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LoggingSpec(Section):
    """Logs: JSON lines, in the state directory unless told otherwise."""

    level: LogLevel = Field(default=LogLevel.INFO, description="Least severe line that is written.")
    file_bytes_max: int = Field(default=10_485_760, ge=65_536, description="A log file of this size is rotated.")
    files_max: int = Field(default=5, ge=1, le=100, description="Rotated files kept.")


class HealthSpec(Section):
    """`/health`, `/ready` and `/metrics` of every worker."""

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="Port; 0 takes a free one, which is what several workers on one machine need.",
    )
