"""One folder per prediction problem. The only place where a team adds code; folders never import one another."""
