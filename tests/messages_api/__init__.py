"""A local HTTP server that speaks the Anthropic Messages API, for tests and measurements."""
