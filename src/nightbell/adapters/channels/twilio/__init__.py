"""SMS and calls through Twilio's API: two channels, one account.

`api` speaks to Twilio, `codes` says what its error codes mean for us, `signature` verifies what it posts. An
SMS is one line with a link; a call says twice what happened and waits for a key. Only a key is an answer.
"""
