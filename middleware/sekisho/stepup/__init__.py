"""Step-up: a second proof besides the secret."""
