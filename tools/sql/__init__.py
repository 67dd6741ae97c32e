"""SQL plugins: one prepared, reading question to a database, guarded in the text, in the session
and by the clock.
"""
