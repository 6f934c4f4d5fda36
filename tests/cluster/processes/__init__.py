"""A Kubernetes of one node out of plain processes, for machines without Docker (Debian, root)."""
