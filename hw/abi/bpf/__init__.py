"""bpf(2): maps, programs and links, and an assembler, without a library."""
