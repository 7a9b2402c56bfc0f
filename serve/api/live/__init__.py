"""Live events over HTTP: what each checkpoint brought, as it comes."""
