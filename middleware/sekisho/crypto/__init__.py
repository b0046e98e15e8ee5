"""Keys: which sign, which verify, and for how long."""
