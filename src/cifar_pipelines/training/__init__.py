"""How a network is trained by one worker, whatever engine started it; nothing here knows Spark."""
