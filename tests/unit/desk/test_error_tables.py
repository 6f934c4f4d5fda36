"""Every error has its exit code and its HTTP status, and both fit each other."""

import pytest

from aicompany import errors
from aicompany.errors import AICompanyError, PassingError, PermanentError, UserError
from aicompany_desk.cli.exit_codes import DEFECT, INVALID, MEANING, OF_ERROR, GatewayRefused, code_of
from aicompany_desk.gateway.problems import STATUS

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, AICompanyError)]


def status_of(kind):
    return next((status for known, status in STATUS if issubclass(kind, known)), 500)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_what_a_person_or_time_can_mend_is_never_called_a_bug(kind):
    can_be_mended = issubclass(kind, UserError | PassingError | PermanentError)
    assert (code_of(kind("x")) != DEFECT) == can_be_mended
    if issubclass(kind, UserError):
        assert 400 <= status_of(kind) < 500
    if issubclass(kind, PassingError):
        assert status_of(kind) in {429, 503}


@pytest.mark.parametrize("table", [OF_ERROR, STATUS], ids=["exit codes", "statuses"])
def test_no_line_of_a_table_is_hidden_by_one_above_it(table):
    for number, (kind, _) in enumerate(table):
        assert not any(issubclass(kind, above) for above, _ in table[:number]), kind


def test_every_code_that_is_used_is_documented():
    used = {code for _, code in OF_ERROR} | {code_of(GatewayRefused(status, "x")) for status in range(400, 600)}
    assert used <= set(MEANING)


@pytest.mark.parametrize("kind", [errors.NotFound, errors.QueueFull, errors.OrderInvalid, errors.StoreUnavailable])
def test_a_refusal_has_the_same_exit_code_over_http(kind):
    assert code_of(GatewayRefused(status_of(kind), "x")) == code_of(kind("x"))


def test_an_unknown_refusal_is_the_askers():
    assert code_of(GatewayRefused(418, "x")) == INVALID
