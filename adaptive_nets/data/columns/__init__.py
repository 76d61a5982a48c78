"""What a column of a table is: its values, and what it is taken for."""
