"""Nightbell: a bell by the bed of whoever cares for somebody with diabetes.

The folders are the journey of a reading: `publish` admits it, `journal` writes it down, `history` files it,
`evaluate` sees which conditions hold, `alarm` lives through the episode, `answer` takes what a person says,
`deliver` brings it to people. `account` and `follow` say who is who and who may see whom; `watch` looks after
the bell itself from outside. `adapters`, `web`, `app` and `cli` are the rim. ARCHITECTURE.md has the map.
"""
