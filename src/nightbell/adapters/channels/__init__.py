"""Ways to reach a person: each folder is one channel, with its settings and its honest checklist."""
