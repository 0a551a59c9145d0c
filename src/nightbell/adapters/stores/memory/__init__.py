"""Stores that live in memory: for tests and rehearsals. They keep every promise except the one about power."""
