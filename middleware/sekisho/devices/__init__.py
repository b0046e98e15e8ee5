"""What a browser or an app shows to be told apart from others."""
