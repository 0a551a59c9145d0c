"""A backup as one file: copies of stores at rest, secrets sealed with a passphrase, a list of it all.

It knows nothing of what the files mean, only how they are copied while others write to them.
"""
