"""Run records: what every measured run leaves behind, and the tables made of them."""
