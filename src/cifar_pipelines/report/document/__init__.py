"""A report that knows no format, and its writers: Markdown, HTML, Typst."""
