"""What is asked of a search afterwards, as DataFrames."""
