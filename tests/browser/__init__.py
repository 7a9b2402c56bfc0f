"""The dashboard in a real browser. A package, so that what it starts ends with its tests."""
