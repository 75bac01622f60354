"""Erasure: who is meant, every copy of what is theirs, its removal, the proof that it is gone, and the receipt."""
