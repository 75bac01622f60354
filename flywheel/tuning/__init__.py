"""Before a full build: what a rule would hit, what each operator costs, and a trial of the whole."""
