"""What the systems of the reference company hold, for tests that work on its records without opening it."""

from systems.config import load_config

SCHEMA = load_config().record_schema
SYSTEMS, COLLECTIONS, READ_TOOLS = SCHEMA.systems, SCHEMA.collections, SCHEMA.tools
KEYS = {name: one.key for name, one in COLLECTIONS.items()}
PART_KEYS = {name: part.key for one in reversed(list(COLLECTIONS.values())) for name, part in one.parts.items()}
