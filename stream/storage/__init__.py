"""The store: checkpoints in one transaction each, sealed and fenced."""
