"""Telegram: a bot that tells, with a button that answers, also where nobody can reach us from outside."""
