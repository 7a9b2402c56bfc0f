"""Predictions ahead of time: a file of events through one model, to a file and to the store."""
