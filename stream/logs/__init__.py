"""The three event logs: memory, SQLite and Kafka, and what they share."""
