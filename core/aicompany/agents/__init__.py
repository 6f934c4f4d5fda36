"""Agents: named specialists of the task role, and which of them gets a step."""
