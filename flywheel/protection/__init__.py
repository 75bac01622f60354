"""Protection: fields that must not be kept, and what is evaluated on and must not be learned."""
