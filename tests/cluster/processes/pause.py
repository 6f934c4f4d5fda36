"""The sandbox image, which holds a pod's namespaces: a static program that sleeps and reaps."""

import tempfile
from pathlib import Path

from tests.cluster.commands import run
from tests.cluster.places import cache
from tests.cluster.processes import images

TAG = "localhost/pause:1"
_SOURCE = """\
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static void down(int s) { exit(0); }
static void reap(int s) { while (waitpid(-1, 0, WNOHANG) > 0); }
int main() {
  signal(SIGINT, down);
  signal(SIGTERM, down);
  signal(SIGCHLD, reap);
  for (;;) pause();
}
"""
_DOCKERFILE = """\
FROM scratch
COPY pause /pause
USER 65535:65535
ENTRYPOINT ["/pause"]
"""


def load() -> None:
    """Into the node; built when it is not in the cache. Raises `CommandFailed`."""
    archive = cache() / "pause.tar"
    if not archive.exists():
        _build(archive)
    images.load_archive(archive)


def _build(archive: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "pause.c").write_text(_SOURCE, encoding="utf-8")
        (place / "Dockerfile").write_text(_DOCKERFILE, encoding="utf-8")
        run("gcc", "-static", "-O2", "-s", "-o", "pause", "pause.c", seconds=60, cwd=place)
        environment = {"BUILDAH_ISOLATION": "chroot"}
        run("buildah", "bud", "--quiet", f"--tag={TAG}", place, seconds=120, env=environment)
        part = archive.with_suffix(".part")
        run("buildah", "push", "--quiet", TAG, f"oci-archive:{part}:{TAG}", seconds=60, env=environment)
        part.rename(archive)
