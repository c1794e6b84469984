"""The report: its content as data, and the forms it is written in."""
