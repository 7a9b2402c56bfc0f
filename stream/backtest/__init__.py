"""Retraining policies on history: the line as it runs in production, over records at hand."""
