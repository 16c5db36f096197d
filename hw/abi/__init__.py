"""Structs, ioctl and option numbers of the kernel's interfaces."""
