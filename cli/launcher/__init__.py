"""The launcher: a menu for those who sit at a terminal and do not know the commands yet."""
