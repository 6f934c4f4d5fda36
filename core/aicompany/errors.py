"""Every error the company raises on purpose, as a tree by who must act.

* `UserError`: the person who asked must ask differently; the message says how.
* `PassingError`: time heals it; whoever runs the work tries again, `retry_after_seconds` says when.
* `PermanentError`: trying again would give the same; the work goes to the dead letters.
* `DefectError`: nobody can act but a developer; it is a bug.

`code` is stable: it stands in events, HTTP problems, metrics and scripts. Messages may change.
"""

from typing import ClassVar


class AICompanyError(Exception):
    """Root of the tree. The text of the exception is a sentence for a person and never holds a secret."""

    code: ClassVar[str] = "error"

    @property
    def message(self) -> str:
        """The sentence without the class name."""
        return str(self)


class UserError(AICompanyError):
    """The person who asked must ask differently."""

    code = "user_error"


class SpecInvalid(UserError):
    """The company's file is not a valid `AICompany`."""

    code = "spec_invalid"


class OrderInvalid(UserError):
    """An order, a turn or an attachment is empty, too large or not text."""

    code = "order_invalid"


class OrderTooLarge(OrderInvalid):
    """An order or an attachment is over the configured size."""

    code = "order_too_large"


class NotFound(UserError):
    """No task, conversation or dead letter has this id."""

    code = "not_found"


class NotPossible(UserError):
    """The thing exists, but its state forbids what was asked (cancel of a finished task, say)."""

    code = "not_possible"


class StateUnusable(UserError):
    """The state directory cannot be used: read-only, full, in use or written by a newer version."""

    code = "state_unusable"


class AddressInUse(UserError):
    """The gateway's port is taken by another process."""

    code = "address_in_use"


class CompanyNotRunning(UserError):
    """A command needs a running company and found none."""

    code = "company_not_running"


class PassingError(AICompanyError):
    """Time heals it. `retry_after_seconds` is the other side's wish, `None` when it said nothing."""

    code = "passing"

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class QueueFull(PassingError):
    """A queue refused a message because it holds as many as it may."""

    code = "queue_full"


class BrokerUnavailable(PassingError):
    """The broker cannot be reached or closed the connection."""

    code = "broker_unavailable"


class StoreUnavailable(PassingError):
    """The event store cannot be reached, is locked, or its disk is full."""

    code = "store_unavailable"


class ModelUnavailable(PassingError):
    """The model's service did not answer, hung up, or answered with 5xx or with something unreadable."""

    code = "model_unavailable"


class ModelOverloaded(ModelUnavailable):
    """The model's service said it is overloaded (529)."""

    code = "model_overloaded"


class ModelRateLimited(PassingError):
    """The model's service asked to slow down (429)."""

    code = "model_rate_limited"


class TurnTooFar(ModelRateLimited):
    """The model was not asked: by its service's limits the turn comes later than the caller can wait."""

    code = "turn_too_far"


class BreakerOpen(PassingError):
    """A circuit breaker refuses calls for now."""

    code = "breaker_open"


class PermanentError(AICompanyError):
    """Trying again would give the same."""

    code = "permanent"


class ModelRefused(PermanentError):
    """The model declined to answer."""

    code = "model_refused"


class AnswerCut(PermanentError):
    """The answer ended at the token limit, so it is not a result."""

    code = "answer_cut"


class ContextExceeded(PermanentError):
    """The request does not fit into the model's context window."""

    code = "context_exceeded"


class CredentialsInvalid(PermanentError):
    """The model's service does not accept the key (401, 403)."""

    code = "credentials_invalid"


class ModelRequestInvalid(PermanentError):
    """The model's service rejected the request as malformed (400, 404, 413)."""

    code = "model_request_invalid"


class AnswerInvalid(PermanentError):
    """The model's structured answer does not have the asked shape, also after being asked again."""

    code = "answer_invalid"


class DeadlinePassed(PermanentError):
    """The work was not finished in the time it was given."""

    code = "deadline_passed"


class MessageUnreadable(PermanentError):
    """A message's body is not an envelope of this version."""

    code = "message_unreadable"


class VersionConflict(AICompanyError):
    """Somebody else appended to the aggregate first: load it again and decide again."""

    code = "version_conflict"


class AlreadyHandled(AICompanyError):
    """The inbox has this message id: its effects are stored, so only the acknowledgement is missing."""

    code = "already_handled"


class HeldElsewhere(AICompanyError):
    """Another handling, here or in another process, has the same message in hand and is alive."""

    code = "held_elsewhere"


class DefectError(AICompanyError):
    """A bug: the program broke a promise it makes to itself."""

    code = "defect"
