"""The operator's own settings, from its environment (`OPERATOR_<FIELD>`)."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aicompany.errors import UserError

PREFIX = "OPERATOR_"


class SettingsInvalid(UserError):
    """The operator's environment cannot be used."""

    code = "settings_invalid"


class Settings(BaseModel):
    """How this operator works; read once, at the start."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    worker_image: str = Field(min_length=1, description="Image of gateway and workers where a company names none.")
    namespace: str = Field(default="aicompany-system", description="Namespace of the operator itself.")
    identity: str = Field(default="operator", min_length=1, description="Name of this process in the Lease; the pod's.")
    watch_namespaces: tuple[str, ...] = Field(
        default=(), description="Namespaces to watch, separated by commas; the whole cluster when empty."
    )
    broker_admin_url: str | None = Field(
        default=None,
        repr=False,
        pattern=r"^https?://",
        description="RabbitMQ's management API with an administrator, `http://user:password@host:15672`; "
        "without it every company names a broker of its own.",
    )
    broker_address: str | None = Field(
        default=None,
        description="`host:port` where companies reach that RabbitMQ; the same host, port 5672 when not set.",
    )
    broker_metrics_url: str | None = Field(
        default=None,
        pattern=r"^https?://",
        description="RabbitMQ's Prometheus endpoint, `http://host:15692`; queue depths are unknown without it.",
    )
    store_admin_url: str | None = Field(
        default=None,
        repr=False,
        pattern=r"^postgres(ql)?://",
        description="PostgreSQL with a role that may make databases and roles; without it every company names a "
        "database of its own.",
    )
    reconciles_max: int = Field(default=10, ge=1, le=100, description="Companies reconciled at the same time.")
    resync_seconds: float = Field(default=60, ge=1, le=3600, description="Between two looks at a company that is well.")
    unwell_seconds: float = Field(
        default=5,
        ge=0.5,
        le=300,
        description="Between two looks at a company that is not; grows up to three times that.",
    )
    lease_seconds: float = Field(default=15, ge=3, le=300, description="How long the Lease holds without renewal.")
    port: int = Field(default=8000, ge=0, le=65535, description="Of `/health`, `/ready` and `/metrics`.")


def settings_of(environment: Mapping[str, str]) -> Settings:
    """The settings. Raises `SettingsInvalid` with every mistake; values, which may be secret, are not repeated."""
    given: dict[str, object] = {}
    unknown: list[str] = []
    for name, text in environment.items():
        field = name.removeprefix(PREFIX).lower()
        if not name.startswith(PREFIX):
            continue
        if field not in Settings.model_fields:
            unknown.append(name)
        elif field == "watch_namespaces":
            given[field] = tuple(part.strip() for part in text.split(",") if part.strip())
        elif text:
            given[field] = text
    mistakes = [f"{name}: there is no such setting" for name in sorted(unknown)]
    try:
        settings = Settings.model_validate(given)
    except ValidationError as error:
        mistakes.extend(
            f"{PREFIX}{str(found['loc'][0]).upper()}: {found['msg'].lower()}"
            for found in error.errors(include_input=False, include_url=False)
        )
        raise SettingsInvalid("; ".join(mistakes)) from None
    if mistakes:
        raise SettingsInvalid("; ".join(mistakes))
    return settings
