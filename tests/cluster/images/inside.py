"""Looking into built images: what they say of themselves, and commands run in them on a read-only root file system."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.cluster.commands import run
from tests.cluster.images.buildah import ENVIRONMENT, Buildah
from tests.cluster.images.catalogue import Image
from tests.cluster.images.docker import Docker

_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended, and what it printed on both streams."""

    code: int
    text: str


class Inside(Protocol):
    """One image, opened."""

    user: str
    """As the image's configuration has it: `uid:gid`."""
    configuration: str
    """All of the configuration and of the history of its layers, as JSON."""

    def run(self, *command: str, user: str | None = None) -> Said:
        """In the image, with nothing writable, as its own user unless another is named (`uid:gid`)."""


class InDocker:
    """With Docker's engine."""

    def __init__(self, tag: str) -> None:
        self._tag = tag
        [seen] = json.loads(run("docker", "inspect", tag, seconds=_SECONDS))
        history = run("docker", "history", "--no-trunc", "--format={{json .}}", tag, seconds=_SECONDS)
        self.user: str = seen["Config"]["User"]
        self.configuration = json.dumps(seen["Config"]) + history

    def run(self, *command: str, user: str | None = None) -> Said:
        program, *arguments = command
        options = ["--rm", "--read-only", f"--user={user or self.user}", f"--entrypoint={program}"]
        return _said("docker", "run", *options, self._tag, *arguments)


class InFolder:
    """An image that lies open in a folder; needs root."""

    def __init__(self, tag: str, root: Path) -> None:
        seen = json.loads(run("buildah", "inspect", "--type=image", tag, seconds=_SECONDS, env=ENVIRONMENT))["OCIv1"]
        self._root = root
        self._variables: Sequence[str] = seen["config"].get("Env", ())
        self.user: str = seen["config"].get("User", "")
        self.configuration = json.dumps([seen["config"], seen["history"]])

    def run(self, *command: str, user: str | None = None) -> Said:
        # In a mount namespace of its own, where the folder is mounted once more, and there cannot be written to.
        mounts = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec chroot "$@"'
        into = (f"--userspec={user or self.user}", str(self._root), "env", "--ignore-environment", *self._variables)
        return _said("unshare", "--mount", "sh", "-c", mounts, str(self._root), *into, *command)


def opened(builder: Buildah | Docker, image: Image) -> AbstractContextManager[Inside]:
    """The image, built when it must be. Raises `CommandFailed`."""
    tag = builder.provide(image)
    return _in_docker(tag) if isinstance(builder, Docker) else _in_folder(tag)


@contextmanager
def _in_docker(tag: str) -> Iterator[Inside]:
    yield InDocker(tag)


@contextmanager
def _in_folder(tag: str) -> Iterator[Inside]:
    container = run("buildah", "from", "--pull-never", tag, seconds=_SECONDS, env=ENVIRONMENT).strip()
    try:
        yield InFolder(tag, Path(run("buildah", "mount", container, seconds=_SECONDS, env=ENVIRONMENT).strip()))
    finally:
        run("buildah", "rm", container, seconds=_SECONDS, env=ENVIRONMENT)


def _said(*command: str) -> Said:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        timeout=_SECONDS,
    )  # fmt: skip
    return Said(done.returncode, done.stdout)
