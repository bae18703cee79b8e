"""The order in which a report tells its sections."""
