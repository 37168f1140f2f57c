"""Looking at files before anything of them is declared: how they are written, what is in them, what to make of it.

Reads the files it is given and writes none. What is drafted of a column is in ``watch/validation/schema_draft.py``.
"""
