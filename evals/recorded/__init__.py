"""Recorded exceptions: what they are, where they come from, and what is expected of them."""
