"""How long a service wants to be left alone, as its headers say."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aicompany_workers.model.retry_after import retry_after_seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "31536000"}, 31_536_000),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9),
        ({"retry-after": ""}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 25:61:61 GMT"}, None),
        ({"retry-after": "Wed, 21 Oct 99999999999999999999 07:28:00 GMT"}, None),
    ],
)
def test_numbers_are_taken_as_they_are_and_nonsense_as_nothing(headers, seconds):
    assert retry_after_seconds(headers) == seconds


def test_a_date_is_the_time_until_then():
    moment = datetime.now(UTC) + timedelta(hours=3)
    seconds = retry_after_seconds({"retry-after": format_datetime(moment, usegmt=True)})
    assert seconds is not None
    assert 3 * 3600 - 5 < seconds <= 3 * 3600


@pytest.mark.parametrize("date", ["Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2015 07:28:00"])
def test_a_date_that_is_over_is_now(date):
    assert retry_after_seconds({"retry-after": date}) == 0


@given(st.text(max_size=40), st.text(max_size=40))
def test_whatever_a_header_holds_it_is_a_wait_or_nothing(wish, milliseconds):
    seconds = retry_after_seconds({"retry-after": wish, "retry-after-ms": milliseconds})
    assert seconds is None or 0 <= seconds < float("inf")
