"""Living with failure: retry, circuit breaker, token bucket."""
