import json
import tomllib
from pathlib import Path

import pytest
import yaml
from tests.cluster import kind, light
from tests.cluster.processes import control_plane, node
from tests.cluster.processes.control_plane import ControlPlane

PLACE = Path("/place")


@pytest.fixture
def plane():
    return ControlPlane(
        place=PLACE, binaries=Path("/bin"), context="trial", api_port=1, etcd_port=2, etcd_peer_port=3,
        address="192.0.2.1", service_cidr="10.96.0.0/16", api_service="10.96.0.1", pod_cidr="10.244.0.0/16",
    )  # fmt: skip


def test_etcd_does_not_wait_for_the_disk(plane):
    assert "--unsafe-no-fsync" in control_plane.etcd(plane)


def test_containerds_configuration_can_be_read_and_stays_with_the_cluster():
    read = tomllib.loads(node.containerd_config(PLACE, Path("/images")))
    runtime = read["plugins"]["io.containerd.grpc.v1.cri"]
    assert (read["root"], read["state"]) == ("/images", str(node.STATE))
    assert runtime["cni"]["conf_dir"] == "/place/cni"


def test_as_many_pods_as_the_nodes_network_has_room_for(plane):
    network = json.loads(node.network_config(PLACE))
    assert network["plugins"][0]["ipam"]["ranges"] == [[{"subnet": node.NODE_POD_CIDR}]]
    assert 110 <= yaml.safe_load(node.kubelet_config(plane))["maxPods"] <= 253


def test_kind_is_asked_for_the_pinned_node():
    wanted = yaml.safe_load(kind.config())
    assert [entry["image"] for entry in wanted["nodes"]] == [kind.NODE_IMAGE]
    assert "@sha256:" in kind.NODE_IMAGE


def test_the_light_node_has_room_for_ten_thousand_pods():
    assert yaml.safe_load(light.node_object())["status"]["allocatable"]["pods"] == "10000"
