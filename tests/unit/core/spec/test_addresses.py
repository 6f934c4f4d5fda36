"""Passwords in addresses are used and never shown."""

import pytest
from pydantic import ValidationError

from aicompany.spec.address import without_password
from aicompany.spec.company import CompanySpec
from aicompany.spec.explain import mistakes_of
from aicompany.spec.model import ModelSpec
from aicompany.spec.servers import BrokerSpec, CacheSpec, StoreSpec

ADDRESSES = [
    (BrokerSpec, "amqp://u:top-secret@h:5672/v"),
    (StoreSpec, "postgresql://u:top-secret@h/db"),
    (CacheSpec, "redis://:top-secret@h/0"),
]


@pytest.mark.parametrize(("section", "url"), ADDRESSES)
def test_an_address_is_kept_whole_and_written_out_without_its_password(section, url):
    spec = section(url=url)
    assert spec.url == url
    for shown in (repr(spec), str(spec), str(spec.model_dump()), spec.model_dump_json()):
        assert "top-secret" not in shown
    assert ":***@h" in spec.model_dump()["url"]


@pytest.mark.parametrize(
    "url", ["mysql://u:top-secret@h/db", "postgresql://u:top-secret@h:port/db", "postgresql://u:top-secret@[h/"]
)
def test_a_mistake_in_an_address_is_told_without_its_password(url):
    with pytest.raises(ValidationError) as raised:
        CompanySpec.model_validate({"store": {"url": url}})
    (mistake,) = mistakes_of(raised.value, CompanySpec)
    assert "top-secret" not in mistake.sentence()


def test_other_text_is_left_as_it_is():
    for text in ("no address", "http://host:80/a:b@c", "amqp://user@host/"):
        assert without_password(text) == text


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://h",
        "postgres://u@h:5432/db?sslmode=require",
        "postgresql://u:p%40@a:1,b:2/db",
        "postgresql://[::1]:5432/db",
    ],
)
def test_addresses_that_are_right(url):
    assert StoreSpec(url=url).url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://gw:80800",
        "http://gw:65536",
        "http://gw:0",
        "http://gw:",
        "http://gw:port",
        "http://gw\n",
        "http://[bad",
        "http://[bad]",
        "http://[1:2:3]",
        "http://u:top-secret@[bad/",
        "http://u:top-[secret@gw",
        "http://:80",
        "https://",
        "https:///v1",
        "gw:8080",
        "",
    ],
)
def test_a_mistake_in_the_models_address_is_told_with_what_would_be_right(url):
    with pytest.raises(ValidationError) as raised:
        CompanySpec.model_validate({"model": {"baseUrl": url}})
    (mistake,) = mistakes_of(raised.value, CompanySpec)
    assert mistake.sentence().startswith("model.baseUrl: the address cannot be read; write https://host")
    assert "top-" not in mistake.sentence()


@pytest.mark.parametrize(
    "url",
    ["http://gw", "https://gw:65535", "http://u:p%40@127.0.0.1:1/v1", "http://[::1]:8080/", "http://[fe80::1:2]?a=b@c"],
)
def test_addresses_of_the_model_that_are_right(url):
    assert ModelSpec(base_url=url).base_url == url
