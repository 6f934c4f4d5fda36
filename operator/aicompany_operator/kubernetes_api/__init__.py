"""Doors to the Kubernetes API: the only modules that talk to it, besides kopf."""
