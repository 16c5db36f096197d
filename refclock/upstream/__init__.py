"""Other time servers: asked, filtered, and put to the vote. What the majority agrees on
is one witness. Pure; sockets, names and threads are elsewhere."""
