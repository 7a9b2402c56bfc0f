"""Training challengers in another process, on a stated range of the log, up to now."""
