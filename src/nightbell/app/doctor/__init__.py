"""The settings and the machine looked over before they carry load.

`checks.py` judges measured values, purely; `gather.py` measures them. `shadow.py` runs the deployed settings
on a made-up house beside the live one, `load.py` is the process that loads it, `headroom.py` judges what came
of it. Nothing here ever touches what the live bell keeps.
"""
