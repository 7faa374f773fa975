"""Files of tables: kind, encoding and rows, told by their content."""
