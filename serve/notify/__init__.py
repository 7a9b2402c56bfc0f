"""Telling others what happens: alerts, and the mirror of versions on a tracking server."""
