"""Looking at a stream and all it stands on, and saying what is wrong and what to do."""
