import pytest
from tests.cluster.images.debian import mirror_in
from tests.cluster.images.pip_index import build_args

DEB822 = """\
Types: deb
URIs: http://debian.example/debian
Suites: bookworm
"""


@pytest.mark.parametrize(
    ("lists", "mirror"),
    [
        ((), None),
        (("# deb http://away.example/debian bookworm main\n",), None),
        (("deb http://debian.example/debian bookworm main\n",), "http://debian.example/debian"),
        (("deb [signed-by=/some/key] https://debian.example/debian bookworm main\n",), "https://debian.example/debian"),
        ((DEB822,), "http://debian.example/debian"),
        (("URIs: http://security.example/debian-security\n", DEB822), "http://debian.example/debian"),
    ],
)
def test_debian_comes_from_where_the_machine_gets_its_packages(lists, mirror):
    assert mirror_in(lists) == mirror


def test_a_build_is_told_of_an_index_by_its_variables_name_alone():
    assert build_args({"PIP_INDEX_URL": "https://me:secret@index.example/simple"}) == ["--build-arg=PIP_INDEX_URL"]


@pytest.mark.parametrize("environment", [{}, {"PIP_INDEX_URL": ""}])
def test_without_an_index_of_its_own_a_build_is_told_nothing(environment):
    assert build_args(environment) == []
