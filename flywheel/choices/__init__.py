"""Choices among rows: which are selected, fill which share, and stand on which side of a split."""
