"""Averaging: one model out of those of the shards, every so many events, taken in by each."""
