"""Looks leaked passwords and leaked pairs up: in files shared by all workers, and at Have I Been Pwned."""
