"""The landing zone, and what is known around a batch that lies in it."""
