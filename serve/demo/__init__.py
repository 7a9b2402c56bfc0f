"""The demo: a year of New York departures."""
