"""The API: JSON in, JSON out, with a grant as bearer or in the cookie of our own pages.

Every answer about readings says until when they may be relied on. A GET never changes anything. What may not
be seen and what is not there get the same answer.
"""
