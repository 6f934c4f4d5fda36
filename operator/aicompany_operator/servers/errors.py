"""How servers fail. The sentences name the server and never a password."""

from aicompany.errors import PassingError, PermanentError


class ServerUnreachable(PassingError):
    """It did not answer, or broke off."""

    code = "server_unreachable"


class ServerRefused(PermanentError):
    """It answered, and does not do what it was asked: wrong login, missing right, an unknown feature."""

    code = "server_refused"
