"""Real systems of others, installed and run beside Missions: `make systems`."""
