"""How good a model is: its predictions table, scores, intervals and paired tests."""
