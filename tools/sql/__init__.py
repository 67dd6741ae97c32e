"""SQL plugins: one prepared query that only reads, with checks on its text, session and time."""
