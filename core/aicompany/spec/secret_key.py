"""A value that is kept in a Kubernetes Secret. It means nothing on one machine, where files and the environment do."""

from pydantic import BaseModel, Field

from aicompany.spec.section import Section


class SecretKey(Section):
    """One entry of a Secret in the company's namespace."""

    name: str = Field(
        pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$", max_length=253, description="Name of the Secret."
    )
    key: str = Field(pattern=r"^[A-Za-z0-9._-]{1,253}$", max_length=253, description="Its entry that holds the value.")


def one_source(section: BaseModel, direct: str, from_secret: str) -> None:
    """Raises `ValueError` when both fields of the section are set."""
    if getattr(section, direct) is not None and getattr(section, from_secret) is not None:
        names = [type(section).model_fields[name].alias or name for name in (direct, from_secret)]
        raise ValueError(f"{names[0]} and {names[1]} are both set; keep one of them")
