"""The workers: one runtime, four roles, and the adapters that reach brokers, stores, models and people."""
