"""`wfp-udp whatif`: what would this policy do to this datagram?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from fsm.cli.options import config_of, machine_options
from fsm.errors import FsmError

if TYPE_CHECKING:
    from fsm.policy.answer import Whatif


@click.command("whatif")
@click.argument("policy", metavar="POLICY")
@click.option("--from", "from_", required=True, metavar="ADDRESS:PORT", help="Who sends, such as 192.0.2.1:50000.")
@click.option("--to", required=True, metavar="ADDRESS:PORT", help="Who it is for, such as [2001:db8::1]:53.")
@click.option(
    "--event",
    "events",
    multiple=True,
    metavar="STIMULUS",
    help="sendto, receive, bind, icmp_error, wait:61 ... May be repeated: one after the other.  [default: sendto]",
)
@click.option(
    "--flow-state",
    default="none",
    show_default=True,
    metavar="STATE",
    help="What was before: none (a bound socket), out, in, out_stale, in_stale.",
)
@click.option("--no-listener", is_flag=True, help="No socket owns the port that it arrives at.")
@click.option(
    "--program", metavar="PATH", help="NT path, path with a drive, or file name; 'other': none that a filter names."
)
@click.option("--user", metavar="SID[,SID...]", help="All SIDs of the token that matter; 'other' as above.")
@click.option("--package", metavar="SID|none", help="The store app, or 'none'.")
@click.option("--profile", type=int, metavar="N", help="Number of the network profile.")
@click.option("--interface", type=int, metavar="LUID", help="The interface, as filters name it.")
@click.option("--interface-index", type=int, metavar="N")
@click.option("--interface-type", type=int, metavar="N", help="6 Ethernet, 24 loopback, 71 Wi-Fi, 131 tunnel.")
@click.option("--tunnel-type", type=int, metavar="N", help="0 for no tunnel.")
@click.option("--compartment", type=int, metavar="N")
@click.option(
    "--set", "settings", multiple=True, metavar="FIELD=VALUE", help="Any other condition field. May be repeated."
)
@click.option(
    "--flag", "flags", multiple=True, metavar="FLAG", help="A condition flag that holds besides. May be repeated."
)
@click.option("--bound-to-local", is_flag=True, help="The socket is bound to its address, not to the wildcard.")
@click.option(
    "--ordinary",
    is_flag=True,
    help="Take what is not given as usual: a desktop program and user that no filter names, Ethernet, no tunnel.",
)
@click.option(
    "--callouts",
    default="unknown",
    show_default=True,
    metavar="unknown|permit",
    help="What callouts answer that nobody has described.",
)
@click.option("--boot-time", is_flag=True, help="Ask the boot-time filters, in force before the filter engine runs.")
@click.option("--all", "everything", is_flag=True, help="Every filter that did not match, and every open question.")
@click.option("--diagram", default="", metavar="FILE", help="Draw the path on the endpoint's picture into this file.")
@click.option("--format", "output_format", type=click.Choice(["text", "json"]), default="text", show_default=True)
@machine_options
def command(
    policy: str,
    from_: str,
    to: str,
    events: tuple[str, ...],
    flow_state: str,
    no_listener: bool,
    program: str | None,
    user: str | None,
    package: str | None,
    profile: int | None,
    interface: int | None,
    interface_index: int | None,
    interface_type: int | None,
    tunnel_type: int | None,
    compartment: int | None,
    settings: tuple[str, ...],
    flags: tuple[str, ...],
    bound_to_local: bool,
    ordinary: bool,
    callouts: str,
    boot_time: bool,
    everything: bool,
    diagram: str,
    output_format: str,
    ip: int,
    windows: str,
    evidence: str,
    assumptions: tuple[str, ...],
) -> None:
    """What would POLICY do to a datagram?

    POLICY is the XML of `netsh wfp show state` or `netsh wfp show filters`, or a policy file. What is not given stays
    open; the answer says which open question matters. IP version and loopback follow from the addresses.

    \b
    Examples:
      wfp-udp whatif state.xml --from 192.0.2.1:50000 --to 198.51.100.1:53 --ordinary
      wfp-udp whatif state.xml --from 198.51.100.1:53 --to 192.0.2.1:50000 --event receive --no-listener
      wfp-udp whatif policy.toml --from 192.0.2.1:50000 --to 198.51.100.1:53 --event sendto --event wait:61
          --event receive
    """
    from fsm.policy.datagram import Circumstances
    from fsm.policy.read import read_policy
    from fsm.policy.whatif import whatif
    from fsm.policy.whatif_text import whatif_text

    config = config_of(ip, windows, evidence, assumptions)
    circumstances = Circumstances(
        program=program,
        user=_user(user),
        package="" if package == "none" else package,
        profile=profile,
        interface=interface,
        interface_index=interface_index,
        interface_type=interface_type,
        tunnel_type=tunnel_type,
        compartment=compartment,
        flags=_flags(flags),
        bound_to_any=not bound_to_local,
        fields=_fields(settings),
    )
    answer = whatif(
        read_policy(policy),
        from_=from_,
        to=to,
        event=events or "sendto",
        flow_state=flow_state,
        listener=not no_listener,
        config=config,
        circumstances=circumstances,
        ordinary=ordinary,
        undeclared_callouts=callouts,
        boot_time=boot_time,
    )
    if diagram:
        _draw(answer, diagram)
    click.echo(
        json.dumps(answer.to_json(), indent=2)
        if output_format == "json"
        else whatif_text(answer, everything=everything)
    )


def _user(given: str | None) -> tuple[str, ...] | None:
    if given is None:
        return None
    from fsm.policy.security import WELL_KNOWN

    sids = [part.strip() for part in given.split(",") if part.strip()]
    found = tuple(WELL_KNOWN.get(sid.upper(), sid) for sid in sids)
    for sid in found:
        if sid != "other" and not sid.upper().startswith("S-1-"):
            raise FsmError("--user", f"'{sid}' is no SID", "S-1-5-18, SY, other", "Names are not looked up")
    return found


def _flags(given: tuple[str, ...]) -> tuple[str, ...]:
    from fsm.errors import UnknownName
    from fsm.policy.fields import CONDITION_FLAGS

    found = []
    for word in given:
        name = word.strip().upper().removeprefix("FWP_CONDITION_FLAG_")
        name = name if name in CONDITION_FLAGS else f"IS_{name}"
        if name not in CONDITION_FLAGS:
            raise UnknownName.of("--flag", "condition flag", word, CONDITION_FLAGS)
        found.append(name)
    return tuple(found)


def _fields(given: tuple[str, ...]) -> tuple[tuple[str, int | str | bytes], ...]:
    from fsm.policy.fields import canonical, find_field
    from fsm.policy.values import whole_number

    own = {"ALE_APP_ID": "--program", "ALE_USER_ID": "--user", "ALE_PACKAGE_ID": "--package", "FLAGS": "--flag"}
    found: dict[str, int | str | bytes] = {}
    for word in given:
        name, equals, text = (part.strip() for part in word.partition("="))
        if not equals or not text:
            raise FsmError("--set", f"'{word}' is not FIELD=VALUE", fix="Write --set COMPARTMENT_ID=1")
        field = find_field(name, "--set")
        if field.short_name in own:
            raise FsmError("--set", f"{field.short_name} has an option of its own", fix=f"Use {own[field.short_name]}")
        numeric = any(kind.startswith(("UINT", "INT")) for kind in field.data_types)
        try:
            value: int | str | bytes = whole_number(text) if numeric else text
        except ValueError as error:
            raise FsmError(f"--set {name}", str(error), fix="Give a number") from None
        if found.setdefault(canonical(field.name), value) != value:
            raise FsmError("--set", f"{name} is given twice", fix="Keep one")
    return tuple(found.items())


def _draw(answer: Whatif, output: str) -> None:
    from fsm.cli.picture_file import format_of, save
    from fsm.draw.overlay import Overlay
    from fsm.draw.pictures import PACKET_PATH, picture

    overlay = Overlay.of_steps(answer.steps)
    save(picture(PACKET_PATH, answer.config, overlay=overlay, where="--diagram"), output, format_of(None, output))
