"""What a person sees: pure functions from readings, alarms and follows to words and shapes.

Everything here is in the viewer's unit, zone and language. Nothing old is shown as current: a reading carries
the instant it was measured, how old it is now, and until when it may be relied on.
"""
