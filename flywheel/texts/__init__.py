"""Texts: their words, their passages, the prose in them, and what tells two of them apart."""
