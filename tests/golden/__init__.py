"""Runs as a release left them in the database: paused, edited, in the middle of their effects. Later releases resume them."""
