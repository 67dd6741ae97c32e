"""Vendors: what each does differently, as rows of data, and which API is chosen for it."""
