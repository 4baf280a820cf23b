"""`wfp-udp compare`: what differs between two policies, and that nothing else does."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import click

from fsm.cli.circumstances import circumstances_options
from fsm.cli.options import format_option, machine_options
from fsm.cli.space import question_of, space_options
from fsm.errors import FsmError

if TYPE_CHECKING:
    from fsm.policy.compare import Comparison


@click.command("compare")
@click.argument("first", metavar="POLICY_A")
@click.argument("second", metavar="POLICY_B")
@space_options
@circumstances_options
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1), help="List at most so many sets of each."
)
@click.option("--all", "everything", is_flag=True, help="Every range, name, filter and open question.")
@click.option(
    "--diagram", default="", metavar="FILE", help="Draw the way of the first example with each policy, side by side."
)
@format_option
@machine_options
def command(
    first: str,
    second: str,
    limit: int,
    everything: bool,
    diagram: str,
    output_format: str,
    **given: Any,
) -> None:
    """What does POLICY_B do to datagrams that POLICY_A does not, and the other way round?

    Every behaviour that differs, with all datagrams that show it and one example, and the statement that within the
    fields that the two policies mention nothing else does. By default a bind, a send and an arrival (also where no
    socket owns the port) are asked, with both IP versions, on the wire and on this host; --event asks one.

    \b
    Examples:
      wfp-udp compare before.xml after.xml --ordinary
      wfp-udp compare before.toml after.toml --event sendto --to '*:53'
    """
    from fsm.policy.compare import compare
    from fsm.policy.compare_text import compare_text
    from fsm.policy.read import read_policy

    answer = compare(
        read_policy(first),
        read_policy(second),
        event=given["events"] or None,
        loopback=True if given["loopback"] else None,
        limit_boxes=limit,
        **question_of(given),
    )
    names = (os.path.basename(first), os.path.basename(second))
    if names[0] == names[1]:
        names = (first, second)
    if diagram:
        _draw(answer, names, diagram)
    click.echo(
        json.dumps(answer.to_json(), indent=1)
        if output_format == "json"
        else compare_text(answer, names, everything=everything)
    )


def _draw(answer: Comparison, names: tuple[str, str], output: str) -> None:
    from fsm.cli.picture_file import format_of, save
    from fsm.draw.policies_picture import policies_picture
    from fsm.policy.compare_text import scene_text
    from fsm.policy.search_text import example_text

    first = next(((scene, d) for scene in answer.scenes for d in scene.differences), None)
    if first is None:
        raise FsmError("--diagram", "nothing differs, so there is nothing to draw", fix="Leave it out")
    scene, difference = first
    question = f"{example_text(difference.boxes[0].example)} ({scene_text(scene)})"
    both = list(zip(names, (difference.first_answer, difference.second_answer), strict=True))
    save(policies_picture(question, both), output, format_of(None, output))
