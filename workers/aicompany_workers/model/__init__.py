"""Models: one module a provider, all behind `aicompany.ports.model`."""
