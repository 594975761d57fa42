"""Learning: what people overrule, as lessons, rates and suggested thresholds."""
