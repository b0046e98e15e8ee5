"""Looks up leaked passwords and leaked pairs: in files that all workers share, and at Have I Been Pwned."""
