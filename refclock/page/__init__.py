"""The status page: a process of its own, fed by the control socket."""
