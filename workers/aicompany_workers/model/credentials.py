"""The key to the model's service: from a file the company names, else from the environment as the SDK names it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aicompany.errors import UserError
from aicompany.spec.model import ModelSpec


class KeyUnusable(UserError):
    """The key, or the file that should hold it, cannot be used."""

    code = "key_unusable"


class AddressUnusable(UserError):
    """The address of the model's service is none."""

    code = "address_unusable"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the model's service is called with: a key or a token. Neither shows in its repr."""

    api_key: str | None = field(repr=False)
    auth_token: str | None = field(repr=False)
    base_url: str | None


def credentials_of(spec: ModelSpec, environment: Mapping[str, str]) -> Credentials | None:
    """The credentials, `None` when there are none.

    The key's file goes before the environment and the key before the token. Raises `KeyUnusable` for a named file
    without a key in it and for a key that no request can carry, `AddressUnusable` for an address that is none.
    """
    base_url = spec.base_url or _address(environment)
    if spec.api_key_file is not None:
        path = Path(spec.api_key_file).expanduser()
        return Credentials(_sound(_read_key(path), f"spec.model.apiKeyFile: {path}"), None, base_url)
    for name, is_key in (("ANTHROPIC_API_KEY", True), ("ANTHROPIC_AUTH_TOKEN", False)):
        if secret := environment.get(name, "").strip():
            secret = _sound(secret, name)
            return Credentials(secret if is_key else None, None if is_key else secret, base_url)
    return None


def _address(environment: Mapping[str, str]) -> str | None:
    address = environment.get("ANTHROPIC_BASE_URL", "").strip()
    if address and not address.startswith(("http://", "https://")):
        raise AddressUnusable("ANTHROPIC_BASE_URL is no address; begin it with https:// (or http://), or unset it")
    return address or None


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


def _sound(secret: str, place: str) -> str:
    """The secret itself. A header takes no line breaks and no other letters, and no key has them."""
    if not secret.isascii() or not secret.isprintable() or " " in secret:
        raise KeyUnusable(f"{place} holds more than a key (spaces, line breaks or foreign letters); leave only the key")
    return secret
