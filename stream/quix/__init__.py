"""The core step as a Quix Streams application: a line a partition, its state in Quix's store."""
