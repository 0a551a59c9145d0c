"""The vocabulary that everything imports: glucose, the clock, identities, conditions, errors, sentences.

No I/O here but what a word needs: the clock of the machine, random identities, the catalogues shipped with
the package. Whoever looks for a number that decides something about glucose finds its unit here.
"""
