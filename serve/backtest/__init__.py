"""Comparing retraining policies on a file or a range of the log, for people and for their CI."""
