"""Files and tables of all kinds as one DataFrame."""
