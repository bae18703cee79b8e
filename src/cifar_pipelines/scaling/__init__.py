"""Models of how time depends on cores and images; plans and forecasts by them."""
