"""The cluster that tests ask for: one that is up already stays up, another goes with the tests."""

import os
from collections.abc import Iterator

import pytest
from tests.cluster.cluster import Cluster, ClusterMissing, choose
from tests.cluster.processes.build import binaries

# Tests call kubectl and helm as a user does: by their names.
os.environ["PATH"] = os.pathsep.join((str(binaries()), os.environ.get("PATH", "")))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The cluster, up."""
    try:
        chosen = choose()
    except ClusterMissing as error:
        pytest.skip(str(error))
    if chosen.is_up():
        yield chosen
        return
    try:
        chosen.up()
        yield chosen
    finally:
        chosen.down()
