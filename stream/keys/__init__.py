"""Models per key: one for each value of a field of the event, beside a shared one."""
