"""Stores in memory: they behave like the durable ones and forget all at the end. For tests and rehearsals."""
