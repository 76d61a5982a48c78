"""What a report says, without how it looks: text, tables and charts as data."""
