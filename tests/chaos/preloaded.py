"""Imported once by the process that all others of the harness are forked from; it starts no thread."""

import chromadb.api.rust
import chromadb.telemetry.product.posthog  # noqa: F401

import tests.chaos.company
import tests.chaos.processes  # noqa: F401
