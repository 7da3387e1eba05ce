"""Text in and out: parsing that names the line, safe places to write, records, archives."""
