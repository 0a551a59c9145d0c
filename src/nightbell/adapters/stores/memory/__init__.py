"""Stores that live in memory: they keep every promise except the one about power."""
