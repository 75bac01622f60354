"""Log files, from the inbox to rows: raw files kept as they came, their lines, and the exchange each line holds."""
