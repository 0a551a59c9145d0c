"""The world: databases, mail servers, other systems' protocols, files. Each implements a port of a step.

An adapter maps its library's failures to ours once, at the seam, and knows no other adapter. Only `app` knows
adapters, so what a step needs of the world stands in that step's `ports.py` and nowhere else.
"""
