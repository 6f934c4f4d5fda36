from dataclasses import replace

import pytest
from tests.cluster import kind
from tests.cluster.cluster import ClusterMissing, pick
from tests.cluster.machine import Machine

BARE = Machine(
    docker_works=False, kind_version=None, runs_privileged=False, is_root=False, is_debian=False, go=None,
    has_binaries=False,
)  # fmt: skip
WITH_KIND = replace(BARE, docker_works=True, kind_version=kind.VERSION, runs_privileged=True)
WITH_GO = replace(BARE, is_root=True, is_debian=True, go=(1, 24))


def test_kind_is_preferred():
    assert pick(replace(WITH_GO, docker_works=True, kind_version=kind.VERSION, runs_privileged=True)) == "kind"


def test_processes_where_kind_cannot_run():
    assert pick(WITH_GO) == "processes"


def test_processes_need_no_go_once_they_are_built():
    assert pick(replace(WITH_GO, go=None, has_binaries=True)) == "processes"


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (BARE, "Docker"),
        (replace(WITH_KIND, kind_version=None), "not installed"),
        (replace(WITH_KIND, kind_version="v0.1.0"), "v0.1.0"),
        (replace(WITH_KIND, runs_privileged=False), "privileged"),
        (BARE, "need Debian"),
        (replace(WITH_GO, is_root=False), "need root"),
        (replace(WITH_GO, go=None), "none is here"),
        (replace(WITH_GO, go=(1, 23)), "1.23 is here"),
    ],
)
def test_what_is_missing_is_said(seen, reason):
    with pytest.raises(ClusterMissing, match=reason):
        pick(seen)
