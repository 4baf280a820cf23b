"""The explanations as text for a terminal: a summary, one example of each kind in full, then one line per record.

ASCII only and at most `WIDTH` columns where the words allow it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Any

from fsm.counts import counted
from fsm.explain.codes import CODES
from fsm.explain.ends import End, protocol_name
from fsm.explain.explained import Explained
from fsm.explain.explainer import Account
from fsm.explain.filters import ABSENT, CONTRADICTS, FITS, UNCHECKED, FilterBook
from fsm.explain.reading import OTHER_REASONS
from fsm.explain.summary import GUID_CONNECTION, GUID_PACKET_DROP, Group, Summary, top

WIDTH = 100
LABEL = 13
POLICY_HOSTS, POLICY_FILTERS = 10, 20  # listed; JSON has all
CITED = 3  # sources named with an example; JSON has all

PARTS = (
    ("Refused by a filter:", ("vetoed", "blocked_bind", "blocked_connect", "blocked_accept", "blocked_packet")),
    ("Dropped, and no rule would change it:", ("late_reply", "no_listener", "icmp_twin", "icmp_error_for_own_flow")),
    ("Allowed:", ("group_traffic", "permitted_connect", "permitted_accept", "bind")),
)

HOW_TO_GET_A_LOG = f"""\
To get a log that shows what happens to UDP, in an administrator's command prompt:

  auditpol /set /subcategory:{GUID_PACKET_DROP} /success:enable /failure:enable
  auditpol /set /subcategory:{GUID_CONNECTION} /success:enable /failure:enable

  (packet drops, events 5152 and 5153; connections and binds, events 5154 to 5159; the names of the
  subcategories are translated on other Windows, the GUIDs are not)

Let it happen again, then export (the connections fill a log quickly, so switch them off afterwards):

  wevtutil qe Security /q:"*[System[EventID>=5152 and EventID<=5159]]" /f:xml > events.xml

Without auditing, for the latest drops only (about 100 to 150, until the next start of Windows):

  netsh wfp show netevents file=netevents.xml
"""


def summary_text(summary: Summary, account: Account) -> str:
    """The account and the table of kinds."""
    lines = [account_text(account)]
    groups = shown_groups(summary)
    if groups:
        width = max(len(group.code) for group in groups)
        lines += ["", f"{'incidents':>9}  {'code':<{width}}  what it is"]
        for part, codes in PARTS:
            there = [group for group in groups if group.code in codes]
            lines += [part] if there else []
            lines += [f"{group.count:>9}  {group.code:<{width}}  {CODES[group.code].title}" for group in there]
        if account.incidents != account.explained:
            lines.append(wrapped(
                f"{counted(account.explained, 'record')} {'makes' if account.explained == 1 else 'make'} "
                f"{counted(account.incidents, 'incident')}: a 5152 with its 5157 is one.", "", ""
            ))  # fmt: skip
    notes = summary.notes(account)
    if notes:
        lines += ["", "Note:"]
        lines += [wrapped(note, "  - ", "    ") for note in notes]
    if not groups:
        nothing = "No record is about a datagram or socket other than TCP's."
        lines += ["", nothing if account.readable else "No record could be read.", "", HOW_TO_GET_A_LOG.rstrip()]
    return "\n".join(lines)


def account_text(account: Account) -> str:
    """What became of the records, and the first of those that were not understood."""
    lines = [_accounting(account)]
    for place in account.not_understood_at[:5]:
        lines.append(wrapped(f"not understood: {place['source']}, {place['where']}: {place['why']}", "  ", "    "))
    if account.not_understood > 5:
        lines.append(f"  and {account.not_understood - 5} more not understood")
    for member in account.skipped[:5]:
        lines.append(wrapped(f"passed by, no records in it: {member['source']}: {member['why']}", "  ", "    "))
    return "\n".join(lines)


def policy_text(filters: FilterBook) -> str:
    """Whether the policy's filters are those of the log, and which of them decided."""
    taken = f", taken at {filters.policy.taken_at}" if filters.policy.taken_at else ""
    lines = [wrapped(f"Policy {filters.policy.source}{taken}: {counted(len(filters), 'filter')} with an id", "", "  ")]
    for fit in list(filters.fits.values())[:POLICY_HOSTS]:
        found = ", ".join(
            f"{fit.count(name):,} {words}"
            for name, words in ((FITS, "fit"), (CONTRADICTS, "contradict it"), (ABSENT, "are not in it"),
                                (UNCHECKED, "cannot be compared"))
            if fit.count(name) or name == FITS
        )  # fmt: skip
        who = f"{fit.host}: " if len(filters.fits) > 1 else ""
        lines.append(wrapped(f"{who}{counted(len(fit.findings), 'filter id')} in the log: {found}", "  ", "    "))
        if fit.findings:
            lines.append(wrapped(f"{fit.verdict}: {fit.why}", "  ", "    "))
        lines += [wrapped(text, "    - ", "      ") for text in fit.contradictions]
    if len(filters.fits) > POLICY_HOSTS:
        lines.append(f"  and {len(filters.fits) - POLICY_HOSTS} more hosts (--format json)")
    decided = list(filters.decided())
    if decided:
        lines.append(f"{'incidents':>9}  filter")
    for fit, count, seen in decided[:POLICY_FILTERS]:
        host = f" ({fit.host})" if len(filters.fits) > 1 else ""
        lines.append(wrapped(f"{count:>9}  {seen.text()}{host}", "", " " * 11))
    if len(decided) > POLICY_FILTERS:
        lines.append(f"{'':>9}  and {len(decided) - POLICY_FILTERS} more filters (--format json)")
    return "\n".join(lines)


def groups_text(summary: Summary, filters: FilterBook | None = None) -> str:
    """Every kind with one example in full, then the sources with their addresses.

    `filters` is the policy, which names the filter of an example where its ids are those of the log.
    """
    groups = shown_groups(summary)
    parts = [_group(group, filters) for group in groups]
    cited = dict.fromkeys(cite for group in groups if group.example for cite in group.example.json["cite"][:CITED])
    sources = [wrapped(cite.replace(", http", " http"), "  ", "    ") for cite in cited]
    return "\n\n".join([*parts, "\n".join(["Sources", *sources])])


def shown_groups(summary: Summary) -> list[Group]:
    """In the order of `PARTS`: what a filter refused, what no rule can change, what was allowed."""
    by_code = {group.code: group for group in summary.groups()}
    return [by_code[code] for _, codes in PARTS for code in codes if code in by_code]


def event_line(explained: Explained, hosts: bool) -> str:
    """One record in one line: when, which way, between whom, what it is."""
    out = explained.json
    when = (out["time"] or "").replace("T", " ").removesuffix("Z")[:23] or "(no time)"
    where = f" {out['host']}" if hosts and out["host"] else ""
    return ascii_safe(f"{when}{where} #{out['record']:<5} {out['code']:<17} {between(out)}")


def listing_text(lines: Iterable[str], shown: int, of: int, what: str) -> str:
    """The list of single records under its headline, with how many are left out."""
    rest = of - shown
    more = f", {rest} more with --events all" if rest > 0 else ""
    head = f"{what} ({shown} of {of}{more}): time, #record, code, sender -> receiver"
    body = [wrapped(line, "  ", "      ") for line in lines]
    return "\n".join([head, *body])


def ascii_safe(text: str) -> str:
    """Anything that is not ASCII as an escape, so that no pipe or code page can fail."""
    return text.encode("ascii", "backslashreplace").decode("ascii")


def _accounting(account: Account) -> str:
    other = sum(account.other.values())
    reasons = ", ".join(f"{account.other[reason]:,} {reason}" for reason in OTHER_REASONS if account.other[reason])
    parts = [f"{counted(account.records, 'record')}: {account.explained:,} explained"]
    parts.append(f"{other:,} other" + (f" ({reasons})" if reasons else ""))
    parts.append(f"{account.not_understood:,} not understood")
    hosts = f" {account.hosts} hosts." if account.hosts > 1 else ""
    return wrapped("; ".join(parts) + "." + hosts, "", "")


def _group(group: Group, filters: FilterBook | None) -> str:
    assert group.example is not None  # a group is made by its first record
    out = group.example.json
    head = f"{group.code} - {CODES[group.code].title}: {counted(group.count, 'incident')}"
    example = f"record {out['record']} of {file_name(out['source'])}"
    if out["host"]:
        example += f", host {out['host']}"
    if out["time"]:
        example += f", {out['time']}"
    event = f"event {out['event_id']}" if out["event_id"] is not None else f"net event {out['event_type']}"
    lines = [head, *_field("who", _top(group))] if _top(group) else [head]
    lines += _field("example", f"{example} ({event})")
    lines += _field("what", out["text"])
    if out["layer"]:
        lines += _field("layer", f"{out['layer']} (id {out['runtime_id']}): {out['layer_words']}")
    lines += _field("place", _place(out))
    lines += _field("filter", _filter(group.example, filters))
    lines += _field("before", _layers(out["before"])) + _field("after", _layers(out["after"]))
    lines += _field("application", out["application_sees"])
    lines += _field("remote side", out["remote_sees"])
    for absent in out["absent"]:
        lines += _field("not in log", absent)
    lines += _field("check next", out["next_check"])
    lines += _field("sources", "; ".join(cite.split(", http")[0] for cite in out["cite"][:CITED]))
    return "\n".join(lines)


def _field(label: str, text: str) -> list[str]:
    if not text:
        return []
    return [wrapped(text, f"  {label:<{LABEL}}", " " * (LABEL + 2))]


def _place(out: dict[str, Any]) -> str:
    flow = f"; flow {out['flow_direction']}" if out["flow_direction"] else ""
    packet = f"packet {out['packet_direction']}" if out["packet_direction"] else "no packet"
    rule = f", rule {out['rule']}" if out["rule"] else ""
    return f"endpoint {out['endpoint']}{rule}; {packet}{flow}; {out['confidence']}"


def _filter(explained: Explained, filters: FilterBook | None) -> str:
    """The filter of a record by name, where the policy is that of its host."""
    if filters is None or explained.filter is None or filters.fits[explained.draft.host].verdict != "fits":
        return ""
    return explained.filter.text()


def _layers(names: list[str]) -> str:
    return " > ".join(name.removeprefix("FWPM_LAYER_") for name in names)


def _top(group: Group) -> str:
    named = [f"{address} ({n})" for address, n in group.top_peers()]
    rest = len(group.peers) - len(named)
    if rest > 0:
        named.append(f"{rest}{' or more' if group.more_peers else ''} other{'s' if rest > 1 else ''}")
    programs = [f"{program} ({n})" for program, n in top(group.programs)]
    parts = [", ".join(named)] if named else []
    return "; ".join([*parts, "programs: " + ", ".join(programs)] if programs else parts)


def between(out: dict[str, Any]) -> str:
    """Between whom, with the sender first where it is known."""
    local = End(**out["local"]) if out["local"] else None
    remote = End(**out["remote"]) if out["remote"] else None
    proto = protocol_name(out["protocol"]).split(" (")[0]
    if remote is None and local is None:
        return f"{proto} ends not known"
    if remote is None:
        return f"{proto} {local}"
    if out["packet_direction"] == "inbound":
        return f"{proto} {remote} -> {local if local else '?'}"
    arrow = "->" if out["packet_direction"] == "outbound" else "--"
    return f"{proto} {local if local else '?'} {arrow} {remote}"


def file_name(source: str) -> str:
    return source.replace("\\", "/").rsplit("/", 1)[-1]


def wrapped(text: str, first: str, rest: str) -> str:
    return textwrap.fill(
        ascii_safe(text), WIDTH, initial_indent=first, subsequent_indent=rest,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
