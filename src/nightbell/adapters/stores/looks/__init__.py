"""Looks of many viewers, gathered into one transaction, whatever store is behind."""
