"""A made-up history of orders in which the exceptions are known, because they were put there."""
