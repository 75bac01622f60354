"""Audits: where a row came from and went, what changed between versions, and whether a home is sound."""
