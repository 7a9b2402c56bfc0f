"""People's csv and jsonl files: reading, guessing, turning rows into events."""
