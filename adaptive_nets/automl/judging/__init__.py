"""Which rows are held out, and what is measured on them."""
