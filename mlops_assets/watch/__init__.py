"""Is what arrives right, and is what is served normal? Files, rules, profiles, drift; served predictions."""
