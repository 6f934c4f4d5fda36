"""Names of what belongs to a company in a cluster: the operator gives them, commands look for them."""

import hashlib

_NAME_MAX = 52
"""Leaves a Deployment's pods room for their suffixes within a label's 63 characters."""


def child_name(company: str, part: str) -> str:
    """`<company>-<part>`, at most 52 characters: what is too long ends in a digest of the whole."""
    whole = f"{company}-{part}"
    if len(whole) <= _NAME_MAX:
        return whole
    digest = hashlib.sha256(whole.encode()).hexdigest()[:8]
    return f"{whole[: _NAME_MAX - 9].rstrip('-')}-{digest}"
