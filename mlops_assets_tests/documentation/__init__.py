"""The site made of `docs/`: its reference pages, which are written from the code, its links, its tutorial, its notebook."""
