"""A vendor's own requests, forwarded byte for byte, metered and budgeted."""
