"""The whole company in one process, on one machine."""
