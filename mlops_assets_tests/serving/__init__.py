"""The service: checked rows in, recorded answers out, over real HTTP."""
