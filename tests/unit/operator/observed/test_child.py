"""Pods and Deployments as the API server tells them, in; what is wrong with them, out."""

import pytest

from aicompany.ports.cluster import WorkerGroup
from aicompany_operator.observed.child import ChildKey, child_of, controller_of, seen_deployment, seen_pod
from aicompany_operator.observed.seen import Reason

LABELS = {"aicompany.io/role": "task", "aicompany.io/agent": "qa"}


def pod(*containers, conditions=(), init=(), **metadata):
    return {
        "kind": "Pod",
        "metadata": {"name": "acme-task-qa-1", "labels": LABELS, **metadata},
        "status": {
            "conditions": list(conditions),
            "containerStatuses": list(containers),
            "initContainerStatuses": list(init),
        },
    }


def container(*, restarts=0, ready=False, ended=None, **state):
    last = {"terminated": ended} if ended else {}
    return {"image": "worker:1", "restartCount": restarts, "ready": ready, "state": state, "lastState": last}


def waiting(reason, message="as the kubelet says"):
    return container(waiting={"reason": reason, "message": message})


ENDED = {"exitCode": 2, "message": "a long story\nerror: the file cannot be read\n"}
UNSCHEDULABLE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}


@pytest.mark.parametrize(
    ("body", "reason", "words"),
    [
        (pod(waiting("ErrImagePull")), Reason.IMAGE_UNAVAILABLE, "worker:1"),
        (pod(waiting("ImagePullBackOff")), Reason.IMAGE_UNAVAILABLE, "as the kubelet says"),
        (pod(waiting("InvalidImageName")), Reason.IMAGE_UNAVAILABLE, "acme-task-qa-1"),
        (pod(waiting("ErrImageNeverPull")), Reason.IMAGE_UNAVAILABLE, "acme-task-qa-1"),
        (pod(waiting("CreateContainerConfigError", "secret gone")), Reason.CONFIGURATION_UNUSABLE, "secret gone"),
        (pod(waiting("CreateContainerError")), Reason.CONFIGURATION_UNUSABLE, "as the kubelet says"),
        (pod(container(restarts=2, ended=ENDED)), Reason.PODS_CRASHING, "error: the file cannot be read"),
        (pod(container(restarts=7, ended={"exitCode": 137})), Reason.PODS_CRASHING, "exit code 137"),
        (pod(conditions=[UNSCHEDULABLE]), Reason.PODS_PENDING, "0/3 nodes"),
        (pod(container(ready=True), init=[waiting("ErrImagePull")]), Reason.IMAGE_UNAVAILABLE, "worker:1"),
    ],
)
def test_what_keeps_a_pod_from_running_is_told(body, reason, words):
    trouble = seen_pod(body).trouble
    assert trouble is not None
    assert trouble.reason is reason
    assert words in trouble.message


@pytest.mark.parametrize(
    "body",
    [
        pod(container(running={})),
        pod(container(ready=True, restarts=9, ended=ENDED)),
        pod(container(restarts=1, ended=ENDED)),
        pod(waiting("ContainerCreating")),
        pod(waiting("PodInitializing")),
        pod(conditions=[UNSCHEDULABLE | {"status": "True"}]),
        {"kind": "Pod", "metadata": {"name": "new"}},
    ],
)
def test_what_passes_or_has_passed_is_no_trouble(body):
    assert seen_pod(body).trouble is None


def test_a_pod_is_ready_when_its_condition_says_so():
    assert seen_pod(pod(conditions=[{"type": "Ready", "status": "True"}])).is_ready
    assert not seen_pod(pod(conditions=[{"type": "Ready", "status": "False"}])).is_ready
    assert not seen_pod(pod()).is_ready


def test_a_pod_belongs_to_its_group_and_knows_its_restarts():
    seen = seen_pod(pod(container(restarts=2, ready=True), init=[container(restarts=1)], deletionTimestamp="now"))
    assert (seen.group, seen.restarts, seen.is_ending) == (WorkerGroup("task", "qa"), 3, True)


def deployment(*, generation=3, wanted=2, conditions=(), **status):
    return {
        "kind": "Deployment",
        "metadata": {"name": "acme-pm", "generation": generation},
        "spec": {"replicas": wanted},
        "status": {"observedGeneration": 3, "conditions": list(conditions), **status},
    }


FULL = {"readyReplicas": 2, "updatedReplicas": 2, "replicas": 2}


@pytest.mark.parametrize(
    ("body", "is_settled"),
    [
        (deployment(**FULL), True),
        (deployment(generation=4, **FULL), False),
        (deployment(**FULL | {"readyReplicas": 1}), False),
        (deployment(**FULL | {"updatedReplicas": 1}), False),
        (deployment(**FULL | {"replicas": 3}), False),
        (deployment(wanted=0), True),
        (deployment(wanted=0, replicas=1), False),
        ({"metadata": {"name": "new", "generation": 1}, "spec": {"replicas": 1}}, False),
    ],
)
def test_a_deployment_is_settled_when_all_pods_are_new_and_ready_and_no_old_one_is_left(body, is_settled):
    assert seen_deployment(body).is_settled is is_settled


def test_why_pods_cannot_be_made_is_told():
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"}
    trouble = seen_deployment(deployment(conditions=[failure])).trouble
    assert trouble is not None
    assert trouble.reason is Reason.PODS_FORBIDDEN
    assert "exceeded quota" in trouble.message
    assert seen_deployment(deployment(conditions=[failure | {"status": "False"}])).trouble is None


def test_only_the_controller_is_the_owner():
    owners = [{"uid": "one"}, {"uid": "two", "controller": True}]
    assert controller_of({"metadata": {"ownerReferences": owners}}) == "two"
    assert controller_of({"metadata": {"ownerReferences": owners[:1]}}) is None
    assert controller_of({"metadata": {}}) is None


def test_a_child_keeps_the_object_without_the_bookkeeping():
    body = {"kind": "ConfigMap", "metadata": {"name": "acme", "managedFields": [{}], "uid": "1"}, "data": {"a": "ü"}}
    child = child_of(body)
    assert child.key == ChildKey("ConfigMap", "acme")
    assert child.manifest == body | {"metadata": {"name": "acme", "uid": "1"}}
    assert not child.is_ending
