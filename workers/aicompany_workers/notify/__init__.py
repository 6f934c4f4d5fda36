"""Notifiers: one module a way of telling people, all behind `aicompany.ports.notifier`."""
