"""`kubectl aicompany`: the company as a person at the cluster sees it."""
