"""River pipelines read from text, built without executing any of it."""
