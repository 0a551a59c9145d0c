"""`make bench`: honest figures, printed as a table and written to `build/bench.json`."""
