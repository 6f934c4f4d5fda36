"""Event stores: one package a database, all behind `aicompany.ports.event_store`."""
