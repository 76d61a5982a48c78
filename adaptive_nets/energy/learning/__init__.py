"""What happens while a machine learns: its objective, room for more units, what may go wrong."""
