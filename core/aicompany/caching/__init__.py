"""Keeping answers: under which key, which of them, and when to renew them."""
