"""Measurements: each prints its figure beside its goal and judges nothing."""
