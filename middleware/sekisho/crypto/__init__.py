"""Keys and seals: which secrets sign and verify, for how long, and how values are sealed and stored under keys."""
