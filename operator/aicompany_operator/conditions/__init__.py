"""Conditions of a company: what was seen in, one condition out; pure, one a module."""
