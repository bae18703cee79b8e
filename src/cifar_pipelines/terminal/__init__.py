"""What the project prints in a terminal: tables by rich."""
