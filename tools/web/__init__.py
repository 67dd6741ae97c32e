"""API plugins: one prepared request to a web service, with every value encoded and every address
checked.
"""
