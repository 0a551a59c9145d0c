"""HTTP: the door, the stream, the API and the pages of one house.

`front.py` is the outermost callable. A reading goes straight to the door and a screen straight to the stream;
all else goes to the framework: `api/` for programs, `pages/` for people. `guard.py` says who calls,
`gather.py` opens the one door to somebody's readings, `show/` turns what it finds into words and shapes,
`problem.py` says what went wrong. `build.py` puts it together from a `House` (`ports.py`): all that the web
needs of the rest.
The browser gets drawn pages and small modules (`static/`) that keep them true when the server is gone.
"""
