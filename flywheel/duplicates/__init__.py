"""Duplicates: what texts are compared by, which are alike, and the groups they make."""
