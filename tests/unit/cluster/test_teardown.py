from pathlib import Path

from tests.cluster.processes.teardown import masquerading, mounts_below

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
