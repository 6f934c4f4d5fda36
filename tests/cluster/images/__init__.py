"""Images for the clusters: ours, and those servers' that cannot be pulled here."""
