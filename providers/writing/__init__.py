"""Writing: a request and its conversation to the exact JSON of either API, and messages to and from
the JSON that is sent.
"""
