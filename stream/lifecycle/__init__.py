"""The lifecycle of models: challengers in the shadow, the gate, promotion and the way back."""
