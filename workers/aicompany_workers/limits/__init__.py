"""Rate limits of the model's service behind `aicompany.ports.rate_limits`."""
