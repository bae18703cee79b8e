"""The chapter that answers the questions of the laboratory, A1 to A15."""
