"""The commands of each vendor that set its receivers."""
