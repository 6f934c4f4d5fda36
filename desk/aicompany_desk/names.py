"""Names of files that a company on this machine keeps beside its store."""

GATEWAY_FILE = "gateway.json"
"""Where its gateway is; there while it runs."""

NOTICES_FILE = "notices.jsonl"
"""What its requesters were told."""
