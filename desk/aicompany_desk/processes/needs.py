"""What a company needs so that several processes can be it."""

from aicompany.errors import UserError
from aicompany.spec.company import CompanySpec


class ServersMissing(UserError):
    """The company's file names no servers that several processes could share."""

    code = "servers_missing"


def need_servers(spec: CompanySpec) -> None:
    """Raises `ServersMissing` unless the company has a broker and a store that other processes reach."""
    missing = [
        f"spec.{name}.url (or AICOMPANY_{name.upper()}__URL)"
        for name, url in (("broker", spec.broker.url), ("store", spec.store.url))
        if url is None
    ]
    if missing:
        raise ServersMissing(
            f"processes of one company meet in RabbitMQ and PostgreSQL; set {' and '.join(missing)}, "
            "or run the whole company in one process with `aicompany up`"
        )
