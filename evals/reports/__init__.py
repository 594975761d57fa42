"""An evaluation as one HTML file, and as notebooks show it. `page.py` first."""
