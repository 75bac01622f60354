"""Rights: under which licences the sources stand, what the makers of models allow, and whether a purpose is permitted."""
