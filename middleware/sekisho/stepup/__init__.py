"""Step-up: a second proof after the secret."""
