"""A shop: Medusa, as npm has it, with a company made through its own API. `python -m tests.systems.medusa` runs it."""
