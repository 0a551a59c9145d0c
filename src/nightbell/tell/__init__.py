"""How anybody is told anything: the words that the platform and its watcher share.

A `Message` goes through a `Channel` to an address. What comes back is an `Outcome`: sent, unavailable for
now, or refused for good. `retry` decides when to try again and when to stop. Every try leaves an `Attempt`;
proof that the message arrived or was seen is a `Receipt`. Sent is not delivered, delivered is not seen, and
seen is not "somebody has it": the four are kept apart.

All here is pure. Nothing in this folder may need NumPy, a database or a web framework: the watcher stands on
it.
"""
