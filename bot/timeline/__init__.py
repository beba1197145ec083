"""An incident's timeline as a document: Markdown, JSON and CSV."""
