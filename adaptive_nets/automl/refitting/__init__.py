"""What was chosen, trained again on all rows."""
