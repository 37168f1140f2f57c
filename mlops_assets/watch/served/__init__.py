"""What the service answered, watched: the figures of answers and outcomes, and what is unusual in them."""
