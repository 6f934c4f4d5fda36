"""Observe, decide, apply, report: for one company at a time, many at once."""
