"""The reference page tells every field, with its bounds and its default."""

import pytest
from pydantic import BaseModel

from aicompany.spec.company import AICompany
from aicompany.spec.reference import reference_page


def models(model=AICompany):
    yield model
    for field in model.model_fields.values():
        for part in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from models(part)


@pytest.mark.parametrize("model", dict.fromkeys(models()), ids=lambda model: model.__name__)
def test_every_field_has_a_row_with_its_meaning(model):
    page = reference_page()
    for name, field in model.model_fields.items():
        rows = [line for line in page.splitlines() if line.startswith(f"| `{field.alias or name}` |")]
        assert any((field.description or "?").replace("|", "\\|") in row for row in rows), name


def test_bounds_and_defaults_stand_beside_the_type():
    page = reference_page()
    assert "| `port` | whole number, ≥ 0, ≤ 65535 | `8700` |" in page
    assert "## spec.workers.task\n" in page
    assert "`power_loss` \\| `process_crash`" in page
