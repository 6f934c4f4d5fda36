"""The bearer token callers must show, when there is one."""

from collections.abc import Mapping
from pathlib import Path

from aicompany.errors import UserError
from aicompany.spec.edges import GatewaySpec

TOKEN_VARIABLE = "AICOMPANY_TOKEN"  # noqa: S105 - the variable's name


class TokenUnusable(UserError):
    """The file that should hold the token cannot be used."""

    code = "token_unusable"


def token_of(spec: GatewaySpec, environment: Mapping[str, str]) -> str | None:
    """The token, `None` when none is configured. Raises `TokenUnusable` for a named file without one."""
    if spec.token_file is None:
        return environment.get(TOKEN_VARIABLE, "").strip() or None
    try:
        token = Path(spec.token_file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise TokenUnusable(f"spec.gateway.tokenFile: {spec.token_file} cannot be read; name a text file") from error
    if not token:
        raise TokenUnusable(f"spec.gateway.tokenFile: {spec.token_file} is empty; put the token in it")
    return token
