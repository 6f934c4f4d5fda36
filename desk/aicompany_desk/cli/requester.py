"""Who sits at this machine."""

import getpass


def requester() -> str | None:
    """The user's name; `None` in a container whose user has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return None
