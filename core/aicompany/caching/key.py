"""The key of a question: the same for the same question, another one as soon as anything differs."""

import hashlib
import json

from aicompany.ports.model import ModelRequest

KEY_VERSION = "answer1"
"""Changed with the way keys or answers are written, so that older ones are left to expire."""
_ASKED = {"model", "system", "messages", "tools", "max_tokens", "output_schema"}
"""What the answer depends on. How long the caller waits, and whether for a new one, is not part of it."""


def key_of(request: ModelRequest) -> str:
    """The version and the SHA-256 of the canonical JSON: names sorted, lists in their order, ASCII."""
    asked = request.model_dump(mode="json", include=_ASKED)
    text = json.dumps(asked, sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=True)
    return f"{KEY_VERSION}:{hashlib.sha256(text.encode('ascii')).hexdigest()}"
