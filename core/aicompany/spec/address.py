"""Addresses of servers, which may hold a password that nobody is shown."""

import re
from typing import Annotated, Self

from pydantic import AfterValidator, field_serializer, model_validator

from aicompany.spec.secret_key import one_source
from aicompany.spec.section import Section

_HOST = r"(?:\[[^\]\s]*\]|[^\s:/?#,@\[\]]*)(?::\d{1,5})?"
_ADDRESS = re.compile(rf"^[a-z+]+://(?:[^\s/@]*@)?(?P<hosts>{_HOST}(?:,{_HOST})*)(?:[/?#]\S*)?$")
_PORT_MAX = 65_535
_PASSWORD = re.compile(r"(://[^\s/@:]*):[^\s/@]*@")


def without_password(text: str) -> str:
    """The text with the passwords of all addresses in it replaced by `***`."""
    return _PASSWORD.sub(r"\1:***@", text)


def _checked(address: str) -> str:
    found = _ADDRESS.match(address)
    if found is None or any(int(port) > _PORT_MAX for port in re.findall(r":(\d+)", found["hosts"])):
        # What was given is not repeated: it may hold the password.
        raise ValueError(
            "the address cannot be read; write scheme://user:password@host:port/name, and signs such as / and @ in a "
            "password as %2F and %40"
        )
    return address


ServerAddress = Annotated[str, AfterValidator(_checked)]


class ServerSection(Section):
    """A section whose `url` is written out again without its password, and may come from a Secret instead."""

    @field_serializer("url", check_fields=False)
    def _hide_password(self, url: str | None) -> str | None:
        return without_password(url) if url else url

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        one_source(self, "url", "url_secret")
        return self
