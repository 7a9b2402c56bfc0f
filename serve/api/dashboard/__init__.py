"""The built-in dashboard: a page for each question, served by the API's own process."""
