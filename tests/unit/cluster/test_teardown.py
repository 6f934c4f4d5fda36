import subprocess
from pathlib import Path

import pytest
from tests.cluster.commands import CommandFailed
from tests.cluster.processes.control_plane import ControlPlane
from tests.cluster.processes.daemons import Daemons
from tests.cluster.processes.teardown import masquerading, mounts_below, tear_down

MOUNTS = """\
tmpfs /run tmpfs rw 0 0
tmpfs /run/state tmpfs rw 0 0
overlay /run/state/task/rootfs overlay rw 0 0
tmpfs /run/state-of-another tmpfs rw 0 0
"""


def test_the_deepest_mount_goes_first_and_neighbours_stay():
    assert mounts_below([Path("/run/state")], MOUNTS) == ["/run/state/task/rootfs", "/run/state"]


RULES = r"""
-P POSTROUTING ACCEPT
-A POSTROUTING -s 10.244.0.2/32 -m comment --comment "name: \"aicompany-pods\" id: \"one\"" -j CNI-1
-A POSTROUTING -s 10.99.0.2/32 -m comment --comment "name: \"another\" id: \"two\"" -j CNI-2
"""


def test_only_the_rules_of_this_network_are_deleted():
    comment = 'name: "aicompany-pods" id: "one"'
    words = ["-D", "POSTROUTING", "-s", "10.244.0.2/32", "-m", "comment", "--comment", comment, "-j", "CNI-1"]
    assert masquerading(RULES) == [(words, "CNI-1")]


@pytest.fixture
def somebody_elses(tmp_path):
    """A folder with a process that this program did not make."""
    place = tmp_path / "run"
    place.mkdir()
    with subprocess.Popen(["sleep", "60"], cwd=place) as process:
        (place / "etcd.pid").write_text(str(process.pid))
        yield place, process
        process.kill()


def test_a_cluster_that_was_not_made_here_is_left_as_it_is(somebody_elses):
    place, process = somebody_elses
    plane = ControlPlane(
        place=place, binaries=place, context="trial", api_port=1, etcd_port=2, etcd_peer_port=3, address="192.0.2.1",
        service_cidr="10.96.0.0/16", api_service="10.96.0.1", pod_cidr=None,
    )  # fmt: skip
    with pytest.raises(CommandFailed, match="left as it is"):
        tear_down(plane, Daemons(place))
    assert process.poll() is None
    assert (place / "etcd.pid").exists()
