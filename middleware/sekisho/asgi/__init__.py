"""The layer between server and application: requests and answers in ASGI terms."""
