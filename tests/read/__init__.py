"""The reader: what a stranger can send, and what is made of it."""
