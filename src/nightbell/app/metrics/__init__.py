"""The platform's numbers for whoever runs it: what is kept, how it is read, and where it answers.

Nothing here is on the way of a reading. The rooms count what they do anyway; when somebody asks, the numbers
are read from them (`read.py`), put into the form of Prometheus (`exposition.py`) and answered on an address
of their own (`server.py`), never on the public one. `definitions.py` says what there is and which labels it
may carry: no label holds a person, a name, an address or glucose, and none takes a value that is not listed.
"""
