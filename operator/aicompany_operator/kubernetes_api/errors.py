"""How the API server says no."""

from aicompany.errors import PassingError, PermanentError


class ApiUnavailable(PassingError):
    """The API server did not answer, or said that it cannot now (429, 5xx)."""

    code = "api_unavailable"


class ApiRefused(PermanentError):
    """The API server refused: forbidden, invalid, in conflict. `status` is its HTTP status, `reason` its one word."""

    code = "api_refused"

    def __init__(self, message: str, *, status: int, reason: str, causes: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.causes = causes

    @property
    def is_terminating(self) -> bool:
        """Whether the namespace is on its way out."""
        return "NamespaceTerminating" in self.causes


class NotLeading(PassingError):
    """The Lease is not held (any more), so nothing is written."""

    code = "not_leading"
