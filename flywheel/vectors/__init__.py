"""Texts as vectors: the models that embed, and which vectors are near each other."""
