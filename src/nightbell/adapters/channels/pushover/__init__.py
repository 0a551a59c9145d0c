"""Pushover: an app that rings again and again until a person acknowledges."""
