"""Policies: what filters a machine has, what they would do to a datagram, and how two sets of them differ."""
