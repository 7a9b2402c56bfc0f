"""A report of a stream for people who were not there."""
