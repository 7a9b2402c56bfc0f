"""A stream in shards: one partition each, shared by the workers of a group."""
