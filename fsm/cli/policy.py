"""`wfp-udp policy`: what is in a policy."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from fsm.policy.model import Policy


@click.command(name="policy", short_help="Say what is in a set of WFP filters.")
@click.argument("file", metavar="FILE")
@click.option("--layer", default=None, metavar="LAYER", help="Only this layer, by any of its names; lists its filters.")
@click.option("--format", "form", type=click.Choice(["text", "json", "toml"]), default="text", show_default=True)
@click.option("--diagram", default="", metavar="OUT", help="Draw filters per layer and what blocks into this file.")
def command(file: str, layer: str | None, form: str, diagram: str) -> None:
    """Say what is in a policy: its filters by layer, sublayer and action, and what no datagram can decide.

    FILE is what `netsh wfp show state` or `netsh wfp show filters` wrote on a Windows machine, or a policy file of
    your own in TOML; also in .gz and .zip. `-` is standard input.

    --format toml writes the policy as a policy file, which every command takes in place of the dump.
    --diagram OUT draws the packet path with the filters of each layer; the ending says which format (.svg, .png ...).
    """
    from fsm.policy.read import read_policy

    policy = read_policy(sys.stdin.buffer, name="standard input") if file == "-" else read_policy(file)
    if layer is not None:
        policy = _at_layer(policy, layer)
    if diagram:
        from fsm.cli.picture_file import format_of, save
        from fsm.draw.policy_picture import policy_picture

        save(policy_picture(policy), diagram, format_of(None, diagram))
    if form == "toml":
        from fsm.policy.toml_write import to_toml

        click.echo(to_toml(policy), nl=False)
        return
    from fsm.policy.summary import summary_json, summary_text

    if form == "json":
        click.echo(json.dumps(summary_json(policy), indent=1, ensure_ascii=True))
    else:
        click.echo(summary_text(policy, details=layer is not None))


def _at_layer(policy: Policy, given: str) -> Policy:
    from fsm.catalogue import find
    from fsm.errors import UnknownName
    from fsm.policy.summary import only_layers

    keys = {one.layer for one in policy.filters} | {one.key for one in policy.layers}
    if given in keys:
        return only_layers(policy, (given,))
    # A number is the id of the machine that the dump is from, where it says so.
    own = [one.key for one in policy.layers if given.isdecimal() and one.layer_id == int(given)]
    if own:
        return only_layers(policy, own)
    try:
        return only_layers(policy, [layer.name for layer in find(given, where="--layer")])
    except UnknownName:
        if given.strip("{}").lower() in {key.strip("{}") for key in keys}:
            return only_layers(policy, ("{" + given.strip("{}").lower() + "}",))
        raise
