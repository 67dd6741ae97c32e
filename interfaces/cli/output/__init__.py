"""How the commands print: tables, reports, a turn as it happens."""
