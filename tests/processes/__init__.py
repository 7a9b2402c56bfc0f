"""Commands in processes of their own that need not import everything anew."""
