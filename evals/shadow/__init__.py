"""Shadow: another version beside the live one, which reads and never writes."""
