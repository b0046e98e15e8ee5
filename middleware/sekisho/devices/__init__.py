"""Recognises browsers and apps: the device token, and the browser that asked for a code."""
