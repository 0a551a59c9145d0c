"""Dialects: other systems' ways of publishing and reading, spoken so that their clients work unmodified."""
