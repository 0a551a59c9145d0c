"""Files that people bring: recordings exported from other systems, read whole and within limits."""
