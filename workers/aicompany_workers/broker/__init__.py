"""Brokers: one module or package a broker, all behind `aicompany.ports.broker`."""
