"""Images over TCP, frame by frame: a server, a receiver that loses and doubles nothing, and the folder where frames land.

Nothing here knows Spark; docs/streaming.md has the protocol and what a reader of the landed frames may rely on.
"""
