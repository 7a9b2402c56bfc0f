"""Routes about single predictions: the newest ones, and those made ahead of time."""
