"""Quantities as the API server writes them."""

from fractions import Fraction

import pytest
from hypothesis import given
from tests.unit.operator.builders.blueprints import QUANTITIES

from aicompany_operator.builders.quantity import canonical

SIZES = {"": 1, "m": Fraction(1, 1000), "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18}
SIZES |= {f"{letter}i": 1024**power for power, letter in enumerate("KMGTPE", start=1)}


def value_of(quantity):
    number = quantity.rstrip("mkKMGTPEi")
    return Fraction(number) * SIZES[quantity[len(number) :]]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("1000m", "1"), ("1500m", "1500m"), ("0.5", "500m"), ("2.0", "2"), ("050m", "50m"), ("1000k", "1M"),
        ("1500k", "1500k"), ("1.5G", "1500M"), ("1000T", "1P"), ("1024Ki", "1Mi"), ("1.5Gi", "1536Mi"),
        ("1000Mi", "1000Mi"), ("1024Ti", "1Pi"), ("0.5Ki", "512"), ("0.1Ki", "102400m"), ("1.001Ki", "1025024m"),
        ("1Ki", "1Ki"), ("1023", "1023"), ("1024", "1024"), ("0", "0"), ("0Mi", "0"), ("0m", "0"), ("0.1m", "1m"),
        ("0.001", "1m"), ("4999.5m", "5"), ("312.5Ki", "320k"),
    ],
)  # fmt: skip
def test_a_quantity_is_written_as_it_is_kept(written, kept):
    assert canonical(written) == kept


@given(QUANTITIES)
def test_writing_it_so_changes_no_value_and_is_done_once(quantity):
    kept = canonical(quantity)
    assert canonical_again(kept) == kept
    lost = value_of(kept) - value_of(quantity)
    # Less than a thousandth is rounded up.
    assert 0 <= lost < Fraction(1, 1000)


def canonical_again(kept):
    """The form of what is in that form; P and E come of sums, and nobody may write them."""
    return kept if kept[-1:] in "PE" or kept[-2:] in {"Pi", "Ei"} else canonical(kept)


@pytest.mark.parametrize("text", ["", "x", "-1", "1 Gi", "1e3", "1gi", "1.", ".5", "1\n"])
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(ValueError, match="is no quantity"):
        canonical(text)
