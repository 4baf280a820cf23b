"""The rule table and the disputes as text, Markdown and plain values: what `rules` and `sources` print."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from fsm import catalogue
from fsm.choices import CHOICES, Choice, Config
from fsm.errors import UnknownName
from fsm.names import EVIDENCE, IDLE, IP_VERSIONS, WINDOWS
from fsm.rows import Row
from fsm.rules import RULES, SETTING_FLAGS
from fsm.sources import SOURCES
from fsm.stimuli import POSITIONS, STIMULI, VIEWS
from fsm.table import NO_ROW, compile_table, rows_of


def find_rules(given: str, rows: Iterable[Row] = RULES) -> tuple[Row, ...]:
    """The rows that a word fits: a key or part of one, a layer in any spelling, an endpoint, stimulus, position,
    source, basis, dispute, operation or register value.

    Raises
    ------
    UnknownName : no row has anything of that name.
    """
    rows = tuple(rows)
    word = given.strip()
    if not word:
        return rows
    if word.lower().replace("-", "_") in VIEWS:
        scopes = VIEWS[word.lower().replace("-", "_")].scopes
        return tuple(row for row in rows if row.scope in scopes)
    choice = CHOICES.get(word.lower().replace("-", "_"))
    if choice is not None and choice.about == "filters":
        raise UnknownName(
            "rules",
            f"no rule depends on {choice.name}: it is about the filters of one layer, not the way from layer to layer",
            fix=f"wfp-udp sources tells of it, and wfp-udp whatif takes --assume {choice.name}=OPTION",
        )
    found = tuple(row for row in rows if word.casefold() in {name.casefold() for name in _names_of(row)})
    return found or _rules_of_layer(word, rows)


def _rules_of_layer(word: str, rows: tuple[Row, ...]) -> tuple[Row, ...]:
    by_flag = {
        stem
        for setting in SETTING_FLAGS
        if word.casefold() in (setting.choice, setting.flag.casefold())
        for stem in setting.layers
    }
    if by_flag:  # a setting that no row names: it sets a flag at these layers
        return tuple(row for row in rows if row.layer in by_flag)
    try:
        stems = {layer.stem for layer in catalogue.find(word, where="rules")}
    except UnknownName:
        part = tuple(row for row in rows if word.casefold() in row.key.casefold())
        if part:
            return part
        names = {name for row in rows for name in _names_of(row)}
        known = (
            *VIEWS,
            *STIMULI,
            *POSITIONS,
            *CHOICES,
            *SOURCES,
            *sorted(names),
            *(layer.stem for layer in catalogue.layers()),
        )
        raise UnknownName.of("rules", "rule, layer, stimulus, position, source or dispute", word, known) from None
    found = tuple(row for row in rows if row.layer in stems)
    if not found:
        raise UnknownName(
            "rules", f"no rule visits {', '.join(sorted(stems))}", "A UDP datagram does not pass there in this model"
        )
    return found


def _names_of(row: Row) -> set[str]:
    values = itertools.chain.from_iterable(values for _, values in (*row.when, *row.choices))
    names = {row.key, row.at, row.event, row.next, str(row.basis), *row.cite, *row.ops, *row.flags, *values}
    names |= {name for name, _ in (*row.when, *row.choices)} | ({row.layer} if row.layer else set())
    return names | ({row.discard.reason, row.discard.module} if row.discard else set())


def rule_json(row: Row) -> dict[str, object]:
    """One row with all its columns; empty columns included, so that every record has the same keys."""
    return {
        "rule": row.key,
        "scope": row.scope,
        "at": row.at,
        "event": row.event,
        "when": {name: list(values) for name, values in row.when},
        "next": row.next,
        "sets": dict(row.sets),
        "layer": row.layer,
        "ip": row.ip or None,
        "since": row.since,
        "until": row.until or None,
        "choices": {name: list(options) for name, options in row.choices},
        "operations": list(row.ops),
        "flags": list(row.flags),
        "discard": None
        if row.discard is None
        else {"module": row.discard.module, "reason": row.discard.reason, "value": row.discard.value},
        "outcome": row.outcome or None,
        "application_sees": row.application_sees,
        "remote_sees": row.remote_sees,
        "logged": list(row.logged),
        "basis": str(row.basis),
        "cite": list(row.cite),
        "note": row.note,
    }


def table_counts(config: Config) -> list[dict[str, object]]:
    """Rows, states and edges of each endpoint in one configuration."""
    counts: list[dict[str, object]] = []
    for name, view in VIEWS.items():
        table = compile_table(name, config)
        states, events = range(len(table.states)), range(len(table.events))
        edges = sum(table.next_or_none(state, event) != NO_ROW for state in states for event in events)
        counts.append(
            {
                "endpoint": name,
                **config.to_json(),
                "rows": len(rows_of(view, config)),
                "states": len(table.states),
                "edges": edges,
            }
        )
    return counts


def configurations() -> list[Config]:
    """Every IP version, Windows and order of evidence, without single assumptions."""
    return [
        Config(ip, windows, evidence) for ip, windows, evidence in itertools.product(IP_VERSIONS, WINDOWS, EVIDENCE)
    ]


def rules_text(rows: Iterable[Row]) -> str:
    """The rows for a terminal: one block for each position, one line for each row, its note below."""
    lines: list[str] = []
    kept = tuple(rows)
    for at in dict.fromkeys(row.at for row in kept):
        here = [row for row in kept if row.at == at]
        text = "nothing in progress" if at == IDLE else POSITIONS[at].text
        lines += ["", f"{at}: {text}"]
        for row in here:
            lines += _rule_lines(row)
    bases = ", ".join(
        f"{sum(row.basis == basis for row in kept)} {basis}" for basis in dict.fromkeys(r.basis for r in kept)
    )
    return "\n".join([*lines, "", f"{len(kept)} rules: {bases}"]).lstrip("\n")


def _rule_lines(row: Row) -> list[str]:
    to = row.next + "".join(f", {name}={value}" for name, value in row.sets)
    layer = f" {row.layer}" if row.layer else ""
    lines = [f"  {row.event}{layer} -> {to}   [{row.basis}: {', '.join(row.cite)}]"]
    guards = [f"{name} {'|'.join(values)}" for name, values in row.when]
    guards += [f"{name}={'|'.join(options)}" for name, options in row.choices]
    guards += [f"IPv{row.ip}"] if row.ip else []
    if row.since != "vista" or row.until:
        guards.append(f"Windows {row.since}..{row.until}" if row.until else f"Windows {row.since} and later")
    details = [
        ("if", "; ".join(guards)),
        ("does", ", ".join(row.ops)),
        ("flags", ", ".join(row.flags)),
        ("discard", f"{row.discard.module} {row.discard.reason} ({row.discard.value})" if row.discard else ""),
        ("outcome", row.outcome),
        ("application", row.application_sees),
        ("remote", row.remote_sees),
        ("logged", ", ".join(map(str, row.logged))),
        ("note", row.note),
    ]
    return lines + [f"      {name}: {value}" for name, value in details if value]


def rules_markdown(rows: Iterable[Row]) -> str:
    """The rows as one Markdown table, sources linked."""
    head = "| rule | layer | next | does | sees | basis | sources | note |\n|---|---|---|---|---|---|---|---|"
    lines = [head]
    for row in rows:
        to = row.next + "".join(f", {name}={value}" for name, value in row.sets)
        sees = "; ".join(part for part in (row.application_sees, row.outcome and f"outcome {row.outcome}") if part)
        cites = ", ".join(map(_link, row.cite))
        cells = (f"`{row.key}`", row.layer or "", to, ", ".join(row.ops), sees, str(row.basis), cites, row.note)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def _link(key: str) -> str:
    source = SOURCES[key]
    return f"[{key}]({source.url})" if source.url else key


def disputes_json(config: Config) -> list[dict[str, object]]:
    """Each dispute and setting with its options, who speaks for them, and what every order of evidence takes."""
    return [
        {
            "name": choice.name,
            "kind": choice.kind,
            "question": choice.question,
            "chosen": config.choice(choice.name),
            "by_evidence": {evidence: choice.default(evidence) for evidence in EVIDENCE},
            "options": [
                {"option": o.name, "text": o.text, "voices": list(o.voices), "cite": list(o.cite)}
                for o in choice.options
            ],
            "rules": [row.key for row in RULES if choice.name in dict(row.choices)],
        }
        for choice in CHOICES.values()
    ]


def sources_text(config: Config) -> str:
    """Where the sources disagree, what each order of evidence takes, and the settings of the machine."""
    lines = ["Where the sources disagree", ""]
    for choice in CHOICES.values():
        if choice.kind == "dispute":
            lines += _choice_lines(choice, config)
    lines += ["Settings of the machine (not disputed)", ""]
    for choice in CHOICES.values():
        if choice.kind == "setting":
            lines += _choice_lines(choice, config)
    lines += [
        "--evidence base prefers the base page, documented Microsoft's better-supported side, observed what logs show.",
        "--assume NAME=OPTION decides one. wfp-udp rules NAME lists the rules that depend on it.",
        "",
        "Sources",
        "",
    ]
    cited = {key for row in RULES for key in row.cite} | {
        k for c in CHOICES.values() for o in c.options for k in o.cite
    }
    lines += [f"  {s.key:<21}{s.title}\n  {'':<21}{s.url}".rstrip() for s in SOURCES.values() if s.key in cited]
    return "\n".join(lines)


def _choice_lines(choice: Choice, config: Config) -> list[str]:
    lines = [f"{choice.name}: {choice.question}"]
    for option in choice.options:
        taken = [evidence for evidence in EVIDENCE if choice.default(evidence) == option.name]
        mark = "*" if config.choice(choice.name) == option.name else " "
        by = f"  taken by: {', '.join(taken)}" if choice.kind == "dispute" and taken else ""
        lines.append(f"  {mark} {option.name:<18}{option.text} [{', '.join(option.cite)}]{by}")
    return [*lines, ""]
