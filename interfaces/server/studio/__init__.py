"""The studio at `/studio`: an account's stored threads and spending, for keys that may look."""
