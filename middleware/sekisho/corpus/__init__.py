"""Builds, downloads and verifies the files of leaked passwords. Offline: no log-in service imports this room."""
