"""Leaked passwords and pairs: offline files shared by all workers, and a careful question to Have I Been Pwned."""
