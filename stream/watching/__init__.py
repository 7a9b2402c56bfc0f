"""The monitor on the line: what is checked before a prediction, and counted after it."""
