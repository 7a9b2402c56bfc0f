"""What the monitor saw, over HTTP: schema, anomalies, drift and performance."""
