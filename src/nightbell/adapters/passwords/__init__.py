"""Passwords are hashed and verified here, slowly and a few at a time."""
