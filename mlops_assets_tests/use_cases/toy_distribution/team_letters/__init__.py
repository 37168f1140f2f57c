"""A team's models, in a repository of their own."""
