"""The test of a filter design that the README shows. It fails: the design has a hole."""

from fsm.claims import endpoint, never, reaches


def test_dns_goes_out(wfp_policy):
    design = wfp_policy("kill-switch.toml")
    reaches(endpoint("sender", policy=design, from_="192.0.2.1:50000", to="192.0.2.53:53"), "outcome=sent").require()


def test_nothing_else_leaves(wfp_policy):
    design = wfp_policy("kill-switch.toml")
    never(endpoint("sender", policy=design, from_="192.0.2.1:50000", to="198.51.100.7:4500"), "outcome=sent").require()
