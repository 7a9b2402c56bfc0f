"""Which features a prediction is owed to: exactly where the model allows it, else by sampling."""
