"""The groups of commands, one a file: `missions sandbox …`, `missions eval …`."""
