"""One function per stage; each returns a Dataset."""
