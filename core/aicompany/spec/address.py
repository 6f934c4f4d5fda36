"""Addresses of servers, which may hold a password that nobody is shown."""

import re
from typing import Annotated, Self

from pydantic import AfterValidator, field_serializer, model_validator

from aicompany.spec.secret_key import one_source
from aicompany.spec.section import Section

_HOST = r"(?:\[[^\[\]\s]*\]|[^\s:/?#,@\[\]]*)(?::\d{1,5})?"
_ADDRESS = re.compile(rf"^[a-z+]+://(?:[^\s/?#@]*@)?(?P<hosts>{_HOST}(?:,{_HOST})*)(?:[/?#]\S*)?$")
_PORT_MAX = 65_535

_HEX = "[0-9A-Fa-f]{1,4}"
_IPV6 = "|".join(
    [
        f"({_HEX}:){{7}}{_HEX}",
        f"({_HEX}:){{1,7}}:",
        *(f"({_HEX}:){{1,{7 - after}}}(:{_HEX}){{1,{after}}}" for after in range(1, 7)),
        f":(:{_HEX}){{1,7}}",
        "::",
    ]
)
_WEB_PORT = r"(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})"
WEB_ADDRESS = rf"^https?://([^\s/?#@\[\]]*@)?(\[({_IPV6})\]|[^\s:/?#,@\[\]]+)(:{_WEB_PORT})?([/?#]\S*)?$"
"""An address of a web service with its port, in the regular expressions of Python and of RE2."""
WEB_ADDRESS_SAID = (
    "the address cannot be read; write https://host or http://host:port, with a port from 1 to 65535 and an IPv6 "
    "address in brackets"
)
"""What is said of one that is none."""
_PASSWORD = re.compile(r"(://[^\s/@:]*):[^\s/@]*@")


def without_password(text: str) -> str:
    """The text with the passwords of all addresses in it replaced by `***`."""
    return _PASSWORD.sub(r"\1:***@", text)


def _checked(address: str) -> str:
    found = _ADDRESS.match(address)
    if found is None or any(int(port) > _PORT_MAX for port in re.findall(r":(\d+)(?=,|$)", found["hosts"])):
        # What was given is not repeated: it may hold the password.
        raise ValueError(
            "the address cannot be read; write scheme://user:password@host:port/name, and signs such as / and @ in a "
            "password as %2F and %40"
        )
    return address


def _checked_web(address: str) -> str:
    # Not `match`: `$` lets a line's end pass.
    if not re.fullmatch(WEB_ADDRESS, address):
        raise ValueError(WEB_ADDRESS_SAID)
    return address


ServerAddress = Annotated[str, AfterValidator(_checked)]
WebAddress = Annotated[str, AfterValidator(_checked_web)]


class ServerSection(Section):
    """A section whose `url` is written out again without its password, and may come from a Secret instead."""

    @field_serializer("url", check_fields=False)
    def _hide_password(self, url: str | None) -> str | None:
        return without_password(url) if url else url

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        one_source(self, "url", "url_secret")
        return self
