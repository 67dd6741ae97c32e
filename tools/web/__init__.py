"""API plugins: one prepared request to a web service, every value in its place, every address
checked.
"""
