"""The pages: drawn by the server, readable without scripts; every form works without them.

A GET never changes anything. A form carries a seal made from the grant, so that no other site can send it.
After a change the browser is sent to the page that shows it, so that loading it again repeats nothing.
"""
