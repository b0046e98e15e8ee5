"""Read an application's answer as a browser would: words, redirects, codings.

`read/outcome.py` derives the outcome.
"""
