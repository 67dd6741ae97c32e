"""The commands of `turngraph`, one file each."""
