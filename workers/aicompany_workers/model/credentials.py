"""The key to the model's service: from a file the company names, else from the environment as the SDK names it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aicompany.errors import UserError
from aicompany.spec.model import ModelSpec


class KeyUnusable(UserError):
    """The file that should hold the key cannot be used."""

    code = "key_unusable"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the model's service is called with. Neither secret shows in its repr."""

    api_key: str | None = field(repr=False)
    auth_token: str | None = field(repr=False)
    base_url: str | None


def credentials_of(spec: ModelSpec, environment: Mapping[str, str]) -> Credentials | None:
    """The credentials, `None` when there are none. Raises `KeyUnusable` for a named file without a key in it."""
    base_url = spec.base_url or environment.get("ANTHROPIC_BASE_URL") or None
    if spec.api_key_file is not None:
        return Credentials(_read_key(Path(spec.api_key_file)), None, base_url)
    api_key = environment.get("ANTHROPIC_API_KEY", "").strip() or None
    auth_token = environment.get("ANTHROPIC_AUTH_TOKEN", "").strip() or None
    if api_key is None and auth_token is None:
        return None
    return Credentials(api_key, auth_token, base_url)


def _read_key(path: Path) -> str:
    try:
        key = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise KeyUnusable(
            f"spec.model.apiKeyFile: {path} cannot be read; name a readable text file that holds the key"
        ) from error
    if not key:
        raise KeyUnusable(f"spec.model.apiKeyFile: {path} is empty; put the key in it")
    return key
