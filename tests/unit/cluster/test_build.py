import pytest
from tests.cluster.processes import build
from tests.cluster.processes.build import ALL, KWOK, version_in

PROGRAMS = (*ALL, KWOK)


@pytest.fixture
def binaries(tmp_path, monkeypatch):
    monkeypatch.setenv("CLUSTER_CACHE", str(tmp_path))
    place = build.binaries()
    place.mkdir(parents=True)
    return place


def stamp(binaries, program, version):
    (binaries / program.name).write_text("not a program")
    (binaries / f"{program.name}.version").write_text(version)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_every_program_is_pinned(program):
    assert program.version.startswith("v")


def test_what_has_the_wanted_version_is_not_built_again(binaries):
    for program in PROGRAMS:
        stamp(binaries, program, program.version)
    assert build.outdated(PROGRAMS) == []


def test_another_version_and_a_missing_program_are_outdated(binaries):
    stamp(binaries, KWOK, "v0.0.1")
    assert build.outdated((KWOK, ALL[0])) == [KWOK, ALL[0]]


def test_a_stamp_without_its_program_counts_for_nothing(binaries):
    stamp(binaries, KWOK, KWOK.version)
    (binaries / KWOK.name).unlink()
    assert build.outdated([KWOK]) == [KWOK]


def test_kubernetes_is_told_its_version():
    assert f"gitVersion={ALL[0].version}" in ALL[0].linker_flags


def test_the_version_is_read_from_a_binary():
    said = "x: go1.26\n\tpath\tk8s.io/kubernetes/cmd/kubelet\n\tdep\tk8s.io/kubernetes\tv1.2.3\th1:x\n"
    assert version_in(said, "k8s.io/kubernetes") == "v1.2.3"
    assert version_in(said, "k8s.io/kube") is None
