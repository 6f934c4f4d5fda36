"""The Secret `<company>-credentials`: addresses with passwords, and the gateway's token."""

import base64
from collections.abc import Mapping

from aicompany_operator.builders.blueprint import Manifest
from aicompany_operator.builders.metadata import metadata_of
from aicompany_operator.names import CompanyRef, child_name

BROKER_URL = "broker-url"
BROKER_PASSWORD = "broker-password"  # noqa: S105 - the entry's name
STORE_URL = "store-url"
STORE_PASSWORD = "store-password"  # noqa: S105 - the entry's name
CACHE_URL = "cache-url"
TOKEN = "token"  # noqa: S105 - the entry's name


def credentials_name(company: CompanyRef) -> str:
    """The Secret's name."""
    return child_name(company.name, "credentials")


def build_credentials(company: CompanyRef, values: Mapping[str, str]) -> Manifest:
    """The Secret with these values."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata_of(company, credentials_name(company)),
        "type": "Opaque",
        "data": {name: base64.b64encode(value.encode()).decode() for name, value in sorted(values.items())},
    }


def values_of(secret: Manifest) -> dict[str, str]:
    """The values of a Secret; entries that are no text are left out."""
    values = {}
    for name, packed in (secret.get("data") or {}).items():
        try:
            values[name] = base64.b64decode(packed).decode()
        except ValueError:
            continue
    return values
