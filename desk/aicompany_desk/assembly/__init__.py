"""Putting a company together: which adapter stands behind each port, as the company's file says.

The whole company in one process (`local`) and the processes of one that is spread over many (`processes`) are built
from the same pieces, so they behave the same.
"""
