"""Which images there are, and what each is made of."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.places import ROOT

HERE = Path(__file__).parent

BASE = "localhost/aicompany-base:12"
WORKER = "localhost/aicompany-worker:dev"
OPERATOR = "localhost/aicompany-operator:dev"
MESSAGES_API = "localhost/aicompany-messages-api:dev"
RABBITMQ = "docker.io/library/rabbitmq:4-management"
POSTGRES = "docker.io/library/postgres:17"

_SOURCES = (
    "Dockerfile", ".dockerignore", "pyproject.toml", "README.md", "LICENSE", "core", "workers", "desk", "operator",
    "requirements",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Image:
    """One image that is built here."""

    tag: str
    context: Path
    dockerfile: Path
    inputs: tuple[Path, ...]
    """Files and folders that decide what is in it."""
    base: str | None = None
    """The image it stands on; `None`: the cluster's base for Python."""
    target: str | None = None
    has_official: bool = False
    """Whether it can be pulled where there is a network."""

    @property
    def name(self) -> str:
        """Without registry and version."""
        return self.tag.rsplit("/", 1)[1].partition(":")[0]

    def digest(self, below: str) -> str:
        """Changes with its inputs and with the digest of the image it stands on."""
        whole = hashlib.sha256(f"{self.tag} {self.target} {below}".encode())
        for path in sorted(file for place in self.inputs for file in _files(place)):
            whole.update(str(path.relative_to(ROOT)).encode())
            whole.update(path.read_bytes())
        return whole.hexdigest()[:16]


def _files(place: Path) -> Iterator[Path]:
    if place.is_file():
        yield place
        return
    for path in place.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
            yield path


_OURS = tuple(ROOT / source for source in _SOURCES)


def _server(tag: str, folder: str) -> Image:
    place = HERE / folder
    return Image(tag, place, place / "Dockerfile", (place,), has_official=True)


IMAGES: tuple[Image, ...] = (
    _server(RABBITMQ, "rabbitmq"),
    _server(POSTGRES, "postgres"),
    Image(WORKER, ROOT, ROOT / "Dockerfile", _OURS, target="worker"),
    Image(OPERATOR, ROOT, ROOT / "Dockerfile", _OURS, target="operator"),
    Image(
        MESSAGES_API,
        ROOT / "tests",
        HERE / "messages-api" / "Dockerfile",
        (ROOT / "tests" / "messages_api", HERE / "messages-api", *_OURS),
        base=WORKER,
    ),
)
"""In the order in which they are built."""
