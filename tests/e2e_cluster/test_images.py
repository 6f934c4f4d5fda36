"""What is in the images of operator, workers and the tests' Messages API, and what is not."""

import json
import os
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.cluster import machine
from tests.cluster.images.buildah import Buildah
from tests.cluster.images.catalogue import IMAGES, MESSAGES_API, OPERATOR, WORKER
from tests.cluster.images.docker import Docker
from tests.cluster.images.inside import opened

from aicompany import __version__

# Building them may come first.
pytestmark = pytest.mark.timeout(1800)
ANYBODY = "12345:12345"
NOTHING_CAN_BE_BUILT = "images need Docker's engine, or Debian and root"

COMPILED = """
import importlib.util, json, pathlib, sys
wrong = []
for place in {pathlib.Path(entry) for entry in sys.path if entry and pathlib.Path(entry).is_dir()}:
    for source in place.rglob("*.py"):
        if {"test", "tests", "lib2to3"} & set(source.parts) and "site-packages" not in source.parts:
            continue
        compiled = pathlib.Path(importlib.util.cache_from_source(str(source)))
        made_of = compiled.read_bytes()[4:16] if compiled.exists() else b""
        facts = source.stat()
        now = b"".join(number.to_bytes(4, "little") for number in (0, int(facts.st_mtime), facts.st_size))
        if made_of != now:
            wrong.append(str(source))
print(json.dumps(wrong))
"""
FOUND = """
import importlib.util, json, shutil, sys
print(json.dumps([name for name in sys.argv[1].split() if importlib.util.find_spec(name) or shutil.which(name)]))
"""
MENTIONS = """
import json, os, pathlib, sys
places = ("/etc", "/opt", "/root", "/var/lib/aicompany", "/usr/local/etc")
files = [path for place in places for path in pathlib.Path(place).rglob("*") if path.is_file() and path.suffix != ".so"]
read = {str(path): path.read_text(errors="replace") for path in files if os.access(path, os.R_OK)}
print(json.dumps([name for name, text in read.items() if any(host in text for host in sys.argv[1:])]))
"""


@pytest.fixture(scope="module")
def builder():
    if machine.docker_works():
        return Docker()
    if machine.is_debian() and machine.is_root():
        return Buildah()
    return pytest.skip(str(NOTHING_CAN_BE_BUILT))


@pytest.fixture(scope="module", params=[WORKER, OPERATOR, MESSAGES_API], ids=["worker", "operator", "messages-api"])
def inside(request, builder):
    with of(builder, request.param) as image:
        yield image


@pytest.fixture(scope="module")
def worker(builder):
    with of(builder, WORKER) as image:
        yield image


@pytest.fixture(scope="module")
def operator(builder):
    with of(builder, OPERATOR) as image:
        yield image


def of(builder, tag):
    return opened(builder, next(image for image in IMAGES if image.tag == tag))


def answer(inside, script, *words, user=None):
    said = inside.run("python", "-c", script, *words, user=user)
    assert said.code == 0, said.text
    return json.loads(said.text)


def hosts_packages_come_from():
    """Of this machine's settings; the public ones would be no secret, and are still no image's business."""
    lists = [*Path("/etc/apt").glob("sources.list"), *Path("/etc/apt/sources.list.d").glob("*.sources")]
    lists += [path for path in (Path("/etc/pip.conf"),) if path.exists()]
    addresses = re.findall(r"https?://\S+", "\n".join(path.read_text() for path in lists))
    addresses += [value for name, value in os.environ.items() if name in {"PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"}]
    return sorted({host for address in addresses if (host := urlsplit(address).hostname)})


def test_its_user_is_a_number_and_not_root(inside):
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", inside.user)


def test_nothing_in_it_installs_or_builds(inside):
    tools = "pip pip3 ensurepip setuptools wheel hatchling uv gcc cc clang ld make git"
    assert answer(inside, FOUND, tools) == []


def test_the_workers_image_knows_no_kubernetes(worker):
    assert answer(worker, FOUND, "kubernetes kopf aicompany_operator aicompany-operator kubectl-aicompany") == []


def test_the_operators_image_has_what_the_workers_has_not(operator):
    wanted = ["kubernetes", "kopf", "aicompany_operator", "aicompany-operator"]
    assert answer(operator, FOUND, " ".join(wanted)) == wanted


@pytest.mark.parametrize("user", [None, ANYBODY])
def test_the_command_runs_with_nothing_to_write_to(worker, user):
    said = worker.run("aicompany", "version", user=user)
    assert (said.code, __version__ in said.text) == (0, True), said.text


@pytest.mark.parametrize("user", [None, ANYBODY])
def test_the_operator_starts_with_nothing_to_write_to_and_says_what_it_misses(operator, user):
    said = operator.run("aicompany-operator", user=user)
    assert said.code == 2
    assert re.search("^error: .*OPERATOR_", said.text, re.MULTILINE)


@pytest.mark.parametrize("user", [None, ANYBODY])
def test_where_a_worker_is_put_anybody_may_go(worker, user):
    said = worker.run("sh", "-c", "cd /var/lib/aicompany && pwd", user=user)
    assert said.text.strip() == "/var/lib/aicompany"


def test_the_root_file_system_was_read_only(worker):
    assert "Read-only file system" in worker.run("touch", "/made", user="0:0").text


def test_all_code_is_compiled(inside):
    assert answer(inside, COMPILED, user="0:0") == []


def test_where_packages_came_from_is_not_told(inside):
    hosts = hosts_packages_come_from()
    assert [host for host in hosts if host in inside.configuration] == []
    assert hosts == [] or answer(inside, MENTIONS, *hosts, user="0:0") == []


def test_an_archive_that_is_there_is_taken(builder):
    image = next(image for image in IMAGES if image.tag == WORKER)
    first = builder.build(image)
    written = first.stat().st_mtime_ns
    assert builder.build(image) == first
    assert first.stat().st_mtime_ns == written
