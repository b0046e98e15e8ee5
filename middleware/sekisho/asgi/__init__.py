"""What stands between a server and an application: requests and answers as ASGI has them."""
