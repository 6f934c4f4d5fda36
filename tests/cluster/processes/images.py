"""Images into the node: archives of images, and such as buildah built."""

import json
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from tests.cluster.commands import run
from tests.cluster.processes.containerd import ctr

_SECONDS = 300.0
_NAME = "org.opencontainers.image.ref.name"


def load(image: str) -> None:
    """An image of buildah's storage by its tag, or an archive (`*.tar`). Raises `CommandFailed`, `ValueError`."""
    if image.endswith(".tar"):
        load_archive(Path(image))
        return
    with tempfile.TemporaryDirectory() as place:
        archive = Path(place) / "image.tar"
        run("buildah", "push", "--quiet", image, f"oci-archive:{archive}:{image}", seconds=_SECONDS)
        load_archive(archive)


def load_archive(archive: Path) -> None:
    """An archive, under the name it has inside. Raises `CommandFailed`, `ValueError`."""
    repository, _, _ = name_of(archive).rpartition(":")
    ctr("images", "import", f"--base-name={repository}", archive, seconds=_SECONDS)


def name_of(archive: Path) -> str:
    """The image's name with its tag, as an archive of OCI or of Docker has it. Raises `ValueError`."""
    with tarfile.open(archive) as members:
        docker = _json(members, "manifest.json")
        if docker is not None:
            names = [name for image in docker for name in image.get("RepoTags") or ()]
        else:
            index = _json(members, "index.json") or {}
            names = [image.get("annotations", {}).get(_NAME, "") for image in index.get("manifests", ())]
    for name in names:
        if ":" in name:
            return str(name)
    raise ValueError(f"{archive} has no image with a name and a tag")


def _json(members: tarfile.TarFile, name: str) -> Any:
    try:
        content = members.extractfile(name)
    except KeyError:
        return None
    return None if content is None else json.load(content)
