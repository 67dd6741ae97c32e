"""The stepper's engine: it moves, edits, forks and compares. It shows nothing and knows no view."""
