"""Where things are: the repository, and the cache that outlives a clone."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def cache() -> Path:
    """What was built once is kept here: `CLUSTER_CACHE`, or the platform's cache directory."""
    chosen = os.environ.get("CLUSTER_CACHE")
    if chosen:
        return Path(chosen)
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "aicompany-cluster"
