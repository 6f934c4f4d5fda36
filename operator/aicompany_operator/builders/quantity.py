"""Quantities in the form in which the API server keeps them (`1000m` is `1`), so that comparing finds no difference.

Source: the canonical form of `k8s.io/apimachinery/pkg/api/resource.Quantity`: no fraction digits, the largest exponent
that leaves the number whole; binary suffixes stay binary.
"""

import re
from fractions import Fraction
from math import ceil

_PARTS = re.compile(r"([0-9]+(?:\.[0-9]+)?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?")
_DECIMAL = {"m": Fraction(1, 1000), "": Fraction(1), "k": Fraction(10**3), "M": Fraction(10**6), "G": Fraction(10**9),
            "T": Fraction(10**12), "P": Fraction(10**15), "E": Fraction(10**18)}  # fmt: skip
_BINARY = {"Ki": Fraction(2**10), "Mi": Fraction(2**20), "Gi": Fraction(2**30), "Ti": Fraction(2**40),
           "Pi": Fraction(2**50), "Ei": Fraction(2**60)}  # fmt: skip


def canonical(quantity: str) -> str:
    """The same quantity as the API server would write it. Raises `ValueError` for what is none."""
    found = _PARTS.fullmatch(quantity)
    if found is None:
        raise ValueError(f"{quantity!r} is no quantity")
    number, suffix = Fraction(found[1]), found[2] or ""
    if suffix in _BINARY:
        return _written(number * _BINARY[suffix], _BINARY)
    return _written(number * _DECIMAL[suffix], _DECIMAL)


def _written(value: Fraction, scale: dict[str, Fraction]) -> str:
    # Less than a thousandth is rounded up, as the API server does.
    value = ceil(value / _DECIMAL["m"]) * _DECIMAL["m"]
    if value == 0:
        return "0"
    # Without a suffix that is binary it is decimal when it is read again.
    if scale is _BINARY and (value / _BINARY["Ki"]).denominator != 1:
        scale = _DECIMAL
    for suffix, size in sorted(scale.items(), key=lambda entry: entry[1], reverse=True):
        if (value / size).denominator == 1:
            return f"{value / size}{suffix}"
    return f"{value / _DECIMAL['m']}m"
