"""What a home keeps: snapshots named by content, the catalog derived from them, and releases."""
