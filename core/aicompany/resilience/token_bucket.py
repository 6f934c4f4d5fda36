"""Token bucket: a rate with room for bursts.

Source: the usual leaky-bucket-as-meter formulation (ITU-T I.371): the level grows by `rate` per second up to
`capacity`; a request takes its amount when it is there, or is told when it will be.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class TokenBucket:
    """A bucket at one instant. Times are monotonic seconds, amounts are of whatever is limited."""

    capacity: float
    rate: float
    """Refilled per second; more than 0."""
    level: float
    updated_at: float

    @classmethod
    def full(cls, *, capacity: float, rate: float, now_seconds: float) -> "TokenBucket":
        """A bucket that has not been used."""
        return cls(capacity, rate, capacity, now_seconds)

    def at(self, now_seconds: float) -> "TokenBucket":
        """The bucket refilled up to now; a clock that went back refills nothing."""
        if now_seconds <= self.updated_at:
            return self
        level = min(self.capacity, self.level + (now_seconds - self.updated_at) * self.rate)
        return replace(self, level=level, updated_at=now_seconds)

    def take(self, amount: float, now_seconds: float) -> "tuple[float, TokenBucket]":
        """Take `amount` if it is there: 0 and the bucket after; otherwise the seconds to wait and the bucket as it is.

        Raises `ValueError` for an amount that can never be there.
        """
        if amount > self.capacity:
            raise ValueError(f"{amount} can never be taken from a bucket of {self.capacity}")
        bucket = self.at(now_seconds)
        if amount <= bucket.level:
            return 0.0, replace(bucket, level=bucket.level - amount)
        return (amount - bucket.level) / bucket.rate, bucket

    def wait_seconds(self, amount: float, now_seconds: float) -> float:
        """How long until `amount` is there; for one that never is, until the bucket is full."""
        return max(0.0, (min(amount, self.capacity) - self.at(now_seconds).level) / self.rate)

    def reserve(self, amount: float, now_seconds: float) -> "TokenBucket":
        """The bucket after `amount` was promised to somebody who waits for it; the level may fall below 0.

        Who comes later waits until the promise is covered, so that nobody is overtaken for ever.
        """
        bucket = self.at(now_seconds)
        return replace(bucket, level=bucket.level - amount)

    def put_back(self, amount: float, now_seconds: float) -> "TokenBucket":
        """The bucket after `amount` of what was taken came back; less than 0 takes more."""
        bucket = self.at(now_seconds)
        return replace(bucket, level=min(bucket.capacity, bucket.level + amount))

    def lowered_to(self, level: float, now_seconds: float) -> "TokenBucket":
        """The bucket with at most this level: somebody who knows says that there is no more."""
        bucket = self.at(now_seconds)
        return replace(bucket, level=min(bucket.level, level))
