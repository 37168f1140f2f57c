"""The site made of `docs/`: its reference pages, made from the code, its links, its tutorial and its notebook."""
