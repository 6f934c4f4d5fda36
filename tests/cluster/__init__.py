"""Clusters for tests: kind where Docker works, else one out of plain processes, and a light one without nodes."""
