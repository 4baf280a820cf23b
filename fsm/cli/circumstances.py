"""The options about what is known besides the addresses, which `whatif`, `search` and `compare` share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from fsm.errors import FsmError

if TYPE_CHECKING:
    from fsm.policy.datagram import Circumstances

_OPTIONS: tuple[Callable[[Callable[..., Any]], Callable[..., Any]], ...] = (
    click.option(
        "--program", metavar="PATH", help="NT path, path with a drive, or file name; 'other': none that a filter names."
    ),
    click.option("--user", metavar="SID[,SID...]", help="All SIDs of the token that matter; 'other' as above."),
    click.option("--package", metavar="SID|none", help="The store app, or 'none'."),
    click.option("--profile", type=int, metavar="N", help="Number of the network profile."),
    click.option("--interface", type=int, metavar="LUID", help="The interface, as filters name it."),
    click.option("--interface-index", type=int, metavar="N"),
    click.option("--interface-type", type=int, metavar="N", help="6 Ethernet, 24 loopback, 71 Wi-Fi, 131 tunnel."),
    click.option("--tunnel-type", type=int, metavar="N", help="0 for no tunnel."),
    click.option("--compartment", type=int, metavar="N"),
    click.option(
        "--set", "settings", multiple=True, metavar="FIELD=VALUE", help="Any other condition field. May be repeated."
    ),
    click.option(
        "--flag", "flags", multiple=True, metavar="FLAG", help="A condition flag that holds besides. May be repeated."
    ),
    click.option(
        "--no-flag", "no_flags", multiple=True, metavar="FLAG", help="A flag that does not hold, where that is open."
    ),
    click.option("--bound-to-local", is_flag=True, help="The socket is bound to its address, not to the wildcard."),
    click.option(
        "--ordinary",
        is_flag=True,
        help="Take what is not given as usual: a desktop program and user that no filter names, Ethernet, no tunnel.",
    ),
    click.option(
        "--callouts",
        default="unknown",
        show_default=True,
        metavar="unknown|permit",
        help="What callouts answer that nobody has described.",
    ),
    click.option(
        "--boot-time", is_flag=True, help="Ask the boot-time filters, in force before the filter engine runs."
    ),
)


def circumstances_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--program` to `--boot-time`, in this order in the help."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def known_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """What the options say is known, as `whatif`, `search` and `compare` take it.

    Raises
    ------
    FsmError : a name that does not exist, or a value that does not fit.
    """
    return {
        "circumstances": circumstances_of(given),
        "ordinary": given["ordinary"],
        "undeclared_callouts": given["callouts"],
        "boot_time": given["boot_time"],
    }


def circumstances_of(given: Mapping[str, Any]) -> Circumstances:
    """What the options say is known.

    Raises
    ------
    FsmError : a name that does not exist, or a value that does not fit.
    """
    from fsm.policy.datagram import Circumstances

    return Circumstances(
        program=given["program"],
        user=_user(given["user"]),
        package=_package(given["package"]),
        profile=given["profile"],
        interface=given["interface"],
        interface_index=given["interface_index"],
        interface_type=given["interface_type"],
        tunnel_type=given["tunnel_type"],
        compartment=given["compartment"],
        flags=_flags(given["flags"], "--flag"),
        no_flags=_flags(given["no_flags"], "--no-flag"),
        bound_to_any=not given["bound_to_local"],
        fields=_fields(given["settings"]),
    )


def _user(given: str | None) -> tuple[str, ...] | None:
    if given is None:
        return None
    from fsm.policy.security import WELL_KNOWN

    sids = [part.strip() for part in given.split(",") if part.strip()]
    found = tuple(WELL_KNOWN.get(sid.upper(), sid) for sid in sids)
    if not found:
        raise FsmError("--user", f"'{given}' names no SID", "S-1-5-18, SY, other", "Leave it out for an unknown user")
    for sid in found:
        if sid != "other" and not sid.upper().startswith("S-1-"):
            raise FsmError("--user", f"'{sid}' is no SID", "S-1-5-18, SY, other", "Names are not looked up")
    return found


def _package(given: str | None) -> str | None:
    if given is not None and not given.strip():
        raise FsmError("--package", f"'{given}' is no SID", "S-1-15-2-..., none", "Names are not looked up")
    return "" if given is not None and given.strip().lower() == "none" else given


def _flags(given: tuple[str, ...], option: str) -> tuple[str, ...]:
    from fsm.errors import UnknownName
    from fsm.policy.fields import CONDITION_FLAGS

    found = []
    for word in given:
        name = word.strip().upper().removeprefix("FWP_CONDITION_FLAG_")
        name = name if name in CONDITION_FLAGS else f"IS_{name}"
        if name not in CONDITION_FLAGS:
            raise UnknownName.of(option, "condition flag", word, CONDITION_FLAGS)
        found.append(name)
    return tuple(found)


def _fields(given: tuple[str, ...]) -> tuple[tuple[str, int | str | bytes], ...]:
    from fsm.policy.fields import canonical, find_field
    from fsm.policy.values import whole_number

    own = {
        "ALE_APP_ID": "--program",
        "ALE_USER_ID": "--user",
        "ALE_PACKAGE_ID": "--package",
        "FLAGS": "--flag or --no-flag",
        "IP_PROTOCOL": "--assume protocol=udp, icmp_echo, igmp or raw",
        **dict.fromkeys(
            ("IP_LOCAL_ADDRESS", "IP_LOCAL_PORT", "IP_REMOTE_ADDRESS", "IP_REMOTE_PORT"), "--from and --to"
        ),
    }
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
