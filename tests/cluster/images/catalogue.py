"""Which images there are, and what each is made of."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.places import ROOT

HERE = Path(__file__).parent

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
    base: "Image | None" = None
    """The image it stands on; `None`: the builder's own foundation, which has Python."""
    target: str | None = None
    has_official: bool = False
    """Whether it can be pulled where there is a network."""

    @property
    def name(self) -> str:
        """Without registry and version."""
        return self.tag.rsplit("/", 1)[1].partition(":")[0]

    def digest(self, foundation: str) -> str:
        """Changes with its inputs, with those of the image it stands on, and with what is below all of them."""
        below = foundation if self.base is None else self.base.digest(foundation)
        whole = hashlib.sha256(f"{self.tag} {self.target} {below}".encode())
        for path in sorted(file for place in self.inputs for file in _files(place)):
            content = path.read_bytes()
            whole.update(f"\n{path.relative_to(self.context)} {len(content)}\n".encode())
            whole.update(content)
        return whole.hexdigest()[:16]


def _files(place: Path) -> Iterator[Path]:
    if place.is_file():
        yield place
        return
    for path in place.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
            yield path


def _server(tag: str, folder: str) -> Image:
    place = HERE / folder
    return Image(tag, place, place / "Dockerfile", (place,), has_official=True)


def _ours(tag: str, target: str) -> Image:
    return Image(tag, ROOT, ROOT / "Dockerfile", tuple(ROOT / source for source in _SOURCES), target=target)


_WORKER = _ours(WORKER, "worker")
_TESTS = ROOT / "tests"

IMAGES: tuple[Image, ...] = (
    _server(RABBITMQ, "rabbitmq"),
    _server(POSTGRES, "postgres"),
    _WORKER,
    _ours(OPERATOR, "operator"),
    Image(
        MESSAGES_API,
        _TESTS,
        HERE / "messages-api" / "Dockerfile",
        (_TESTS / "messages_api", HERE / "messages-api"),
        base=_WORKER,
    ),
)
"""In the order in which they are built."""
