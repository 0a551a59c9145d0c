"""A signed webhook: we post what is told to a machine of the follower's, as Home Assistant."""
