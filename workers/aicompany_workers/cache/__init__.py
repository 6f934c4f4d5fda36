"""Caches behind `aicompany.ports.cache`, and what stands on any of them: functions whose results are kept."""
