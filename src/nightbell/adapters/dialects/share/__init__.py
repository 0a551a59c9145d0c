"""The Dexcom Share dialect: publishers and readers of that service work here unmodified.

`dialect` takes a request apart and knows the methods; `wire` reads uploads and writes records, byte for byte
as clients expect them; `faults` are the answers when something is wrong; `brake` slows down clients that
would storm us, because they sign in again after every error. Uploads go through the same `publish` as
everything else. An account here is a Share credential, never a person's own sign-in.
"""
