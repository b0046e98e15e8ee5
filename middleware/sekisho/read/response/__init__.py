"""What an application's answer says, read as a browser would read it: words, redirects, codings.

`read/outcome.py` draws the conclusions.
"""
