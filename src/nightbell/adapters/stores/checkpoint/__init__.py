"""The newest checkpoint of the fold, as one file that is replaced atomically."""
