"""A worker's health over HTTP, for who starts it anew and who waits for it."""
