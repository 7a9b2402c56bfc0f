"""Dead letters: reading them back, and appending what they hold once more."""
