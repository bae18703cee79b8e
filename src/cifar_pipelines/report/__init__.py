"""The report: one document, made from run records, written as PDF and as HTML."""
