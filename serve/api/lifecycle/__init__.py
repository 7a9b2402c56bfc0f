"""Routes about versions of a model and retraining runs, and what people ask of the worker."""
