"""Recognises browsers and apps: the device token, and the token of the browser that asked for a code."""
