"""The watcher's own folder, `DIR/watcher/`: its sealed book, the pairing it reads, the page it writes.

Nothing here is shared with the platform, so that nothing of the platform's can take it along.
"""
