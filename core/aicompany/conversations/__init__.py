"""Conversations: turns of one dialog, restored after any restart."""
