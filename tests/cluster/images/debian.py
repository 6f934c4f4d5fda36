"""What images stand on where none can be pulled: Debian with Python, from the packages that this machine gets."""

import hashlib
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from tests.cluster.commands import run

TAG = "localhost/aicompany-base:12"
_SUITE = "bookworm"
_PACKAGES = "python3,python3-venv,ca-certificates"
_UNNEEDED = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
    "var/lib/apt/lists",
    "var/cache/apt",
    "var/log",
)
# The images that stand on it are to be small as well.
_DPKG = "".join(f"path-exclude /{place}/*\n" for place in _UNNEEDED if place.startswith("usr/"))
_APT = 'Dir::Cache::pkgcache "";\nDir::Cache::srcpkgcache "";\nAPT::Keep-Downloaded-Packages "false";\n'
_APT += 'DPkg::Post-Invoke {"rm -f /var/cache/apt/archives/*.deb";};\n'
_SECONDS = 900.0


def digest() -> str:
    """Changes with what is in it."""
    return hashlib.sha256(f"{_SUITE} {_PACKAGES} {_UNNEEDED} {_DPKG} {_APT}".encode()).hexdigest()[:16]


def install(root: Path) -> None:
    """Into a folder; needs root. Raises `CommandFailed`, `FileNotFoundError` when no source is configured."""
    run("debootstrap", "--variant=minbase", f"--include={_PACKAGES}", _SUITE, root, _mirror(), seconds=_SECONDS)
    for unneeded in _UNNEEDED:
        shutil.rmtree(root / unneeded, ignore_errors=True)
        (root / unneeded).mkdir()
    for source in (root / "etc/apt/sources.list", *(root / "etc/apt/sources.list.d").glob("*")):
        source.write_text("")
    (root / "etc/dpkg/dpkg.cfg.d/small").write_text(_DPKG)
    (root / "etc/apt/apt.conf.d/small").write_text(_APT)


def mirror_in(lists: Iterable[str]) -> str | None:
    """The first source that is no mere addition of security updates, in the text of apt's lists (either format)."""
    for line in "\n".join(lists).splitlines():
        found = re.match(r"^(?:URIs:|deb(?:\s+\[[^\]]*\])?)\s+(\S+)", line)
        if found and "security" not in found[1]:
            return found[1]
    return None


def _mirror() -> str:
    lists = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    found = mirror_in(place.read_text() for place in lists if place.suffix in {".list", ".sources"} and place.is_file())
    if found is None:
        raise FileNotFoundError("no source of Debian packages is configured in /etc/apt")
    return found
