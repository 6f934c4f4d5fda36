"""Building with buildah, on a Debian machine without a container engine: on a base of Debian's own packages."""

import hashlib
import os
import re
import shutil
import tempfile
from pathlib import Path

from tests.cluster.commands import Step, run
from tests.cluster.images.catalogue import BASE, Image
from tests.cluster.places import cache

_SUITE = "bookworm"
_PACKAGES = "python3,python3-venv,ca-certificates"
_UNNEEDED = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
    "var/lib/apt/lists",
    "var/cache/apt",
)
_BUILD_SECONDS = 900.0
_ENVIRONMENT = {"BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "vfs" if os.environ.get("BUILDAH_VFS") else "overlay"}
_FROM_HOST = ("/etc/apt/sources.list", "/etc/apt/sources.list.d", "/etc/pip.conf",
              "/etc/ssl/certs/ca-certificates.crt", "/usr/share/keyrings", "/opt/wheels")  # fmt: skip
"""How this machine reaches packages is for the build alone: mounted, never copied."""


class Buildah:
    """Builds into archives in the cache; one whose inputs did not change is not built again."""

    name = "buildah"

    def __init__(self) -> None:
        self._archives = cache() / "images"

    def build(self, image: Image) -> Path:
        """The image's archive (OCI). Raises `CommandFailed`."""
        below = self._base() if image.base is None else image.base
        digest = image.digest(_base_digest() if image.base is None else image.base)
        archive = self._archives / f"{image.name}-{digest}.tar"
        if not archive.exists():
            with Step(f"building {image.tag}"):
                self._build(image, below, archive)
            for old in self._archives.glob(f"{image.name}-*.tar"):
                if old != archive:
                    old.unlink()
        return archive

    def _build(self, image: Image, below: str, archive: Path) -> None:
        options = [f"--build-arg=BASE_IMAGE={below}", "--layers", "--format=oci", f"--file={image.dockerfile}"]
        if image.target is not None:
            options.append(f"--target={image.target}")
        options += [f"--volume={place}:{place}:ro" for place in _from_host()]
        # Mounted for the length of the build; neither a layer nor the history has them.
        run("buildah", "bud", *options, f"--tag={image.tag}", image.context, seconds=_BUILD_SECONDS, env=_ENVIRONMENT,
            log=self._archives / f"{image.name}.log")  # fmt: skip
        part = archive.with_suffix(".part")
        run("buildah", "push", "--quiet", image.tag, f"oci-archive:{part}:{image.tag}", seconds=300, env=_ENVIRONMENT)
        part.rename(archive)

    def _base(self) -> str:
        """Debian with Python, made by debootstrap; kept in buildah's own storage."""
        mark = self._archives / f"base-{_base_digest()}"
        if not mark.exists() or not self._is_here(BASE):
            with Step(f"building {BASE}"):
                self._build_base()
            self._archives.mkdir(parents=True, exist_ok=True)
            mark.touch()
        return BASE

    def _is_here(self, tag: str) -> bool:
        return bool(
            run("buildah", "images", "--quiet", "--filter", f"reference={tag}", seconds=60, env=_ENVIRONMENT).strip()
        )

    def _build_base(self) -> None:
        place = Path(tempfile.mkdtemp(prefix="aicompany-base-"))
        try:
            root = place / "root"
            run(
                "debootstrap",
                "--variant=minbase",
                f"--include={_PACKAGES}",
                _SUITE,
                root,
                _mirror(),
                seconds=_BUILD_SECONDS,
            )
            for unneeded in _UNNEEDED:
                shutil.rmtree(root / unneeded, ignore_errors=True)
            for source in (root / "etc/apt/sources.list", *(root / "etc/apt/sources.list.d").glob("*")):
                source.write_text("")
            (place / "Dockerfile").write_text('FROM scratch\nCOPY root /\nCMD ["/bin/sh"]\n')
            run(
                "buildah",
                "bud",
                "--quiet",
                "--format=oci",
                f"--tag={BASE}",
                place,
                seconds=_BUILD_SECONDS,
                env=_ENVIRONMENT,
            )
        finally:
            shutil.rmtree(place, ignore_errors=True)


def _from_host() -> list[str]:
    """Single files of apt's settings: packages put files of their own beside them."""
    settings = [path for path in Path("/etc/apt/apt.conf.d").glob("*") if "Acquire" in path.read_text(errors="replace")]
    return [str(place) for place in (*map(Path, _FROM_HOST), *settings) if place.exists()]


def _base_digest() -> str:
    return hashlib.sha256(f"{_SUITE} {_PACKAGES} {_UNNEEDED}".encode()).hexdigest()[:16]


def _mirror() -> str:
    """Where this machine gets Debian's packages from."""
    places = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    for place in places:
        if place.suffix in {".list", ".sources"} and place.is_file():
            for line in place.read_text().splitlines():
                found = re.match(r"^(?:URIs:|deb(?:\s+\[[^\]]*\])?)\s+(\S+)", line)
                if found and "security" not in found[1]:
                    return found[1]
    raise FileNotFoundError("no source of Debian packages is configured in /etc/apt")
