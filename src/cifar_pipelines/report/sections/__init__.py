"""What the comparison says, section by section."""
