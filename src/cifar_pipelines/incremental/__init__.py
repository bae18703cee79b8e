"""How learners learn from a stream: the law of blocks, and the commit that makes it exactly once."""
