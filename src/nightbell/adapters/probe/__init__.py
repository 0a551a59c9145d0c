"""The watcher's eyes and hands: the platform's door, stream, answers and roster, as its users reach them."""
