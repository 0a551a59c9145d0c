"""ntfy: notifications through a server that anybody can run, with a button that answers."""
