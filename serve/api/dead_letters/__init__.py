"""Dead letters over HTTP: replaying what was mended."""
