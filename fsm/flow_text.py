"""Runs of flows as plain text for a terminal or a ticket: one line for each classify. ASCII only."""

from __future__ import annotations

from fsm import catalogue
from fsm.choices import CHOICES
from fsm.endpoint import StimulusRecord
from fsm.flows import FLOWS, FlowRun, LabelledStep, labelled_steps
from fsm.reasons import reason_words
from fsm.rules import SETTING_FLAGS

_MARKS = {"documented": "doc", "observed": "obs", "inferred": "inf"}


def flow_list_text() -> str:
    """The flows of the catalogue, one line each, grouped by endpoint."""
    lines: list[str] = []
    width = max(map(len, FLOWS)) + 2
    for endpoint in dict.fromkeys(flow.endpoint for flow in FLOWS.values()):
        lines.append(f"{endpoint}:")
        lines += [f"  {flow.name:<{width}}{flow.title}" for flow in FLOWS.values() if flow.endpoint == endpoint]
    return "\n".join([*lines, "", "Run one: wfp-udp flow sender.active_open [--block LAYER] [--ip 6] [--format json]"])


def run_text(run: FlowRun) -> str:
    """What each stimulus did, layer by layer, then what came of it."""
    config = run.config
    title = f"{run.name}: {run.title}" if run.name else f"{run.endpoint}: {run.title}"
    about = f"{run.endpoint}, IPv{config.ip}, Windows {config.windows}, evidence {config.evidence}"
    about += "".join(f", {name}={option}" for name, option in config.assume)
    lines = [title, about]
    if run.setup:
        lines.append(f"after: {' '.join(run.setup)}")
    lines.append("")
    labels = {labelled.step.position: labelled.label for labelled in run.steps}
    several = len(run.own_records) > 1
    for record in run.own_records:
        lines += _record_lines(record, labels, several)
    lines += _outcome_lines(run)
    return "\n".join(lines)


def _record_lines(record: StimulusRecord, labels: dict[str, str], several: bool) -> list[str]:
    peer = f"@{record.peer}" if record.peer != "A" else ""
    lines = [f"{record.stimulus}{peer}, at {record.at_s} s"] if several else []
    lines += map(_step_line, labelled_steps(record, labels))
    if not record.classified:
        lines.append("  no layer sees this")
    if several:
        state = record.steps[-1].to_state if record.steps else ""
        seen = record.application_sees and f"application: {record.application_sees}"
        lines.append("  " + "; ".join(part for part in (f"-> {state}" if state else "", seen) if part))
    return lines


def _step_line(labelled: LabelledStep) -> str:
    step = labelled.step
    name = step.layer.removeprefix("FWPM_LAYER_")
    marks = [step.verdict.upper() if step.verdict != "permit" else "permit", _MARKS[step.basis], ", ".join(step.cite)]
    line = f"  {labelled.label:<22}{name:<36}{step.runtime_id:>3}  {marks[0]:<8} {marks[1]}  {marks[2]}"
    reason = f"IS_REAUTHORIZE reason {reason_words(labelled.reauthorize_reason)}"
    extra = [reason if flag == "IS_REAUTHORIZE" and labelled.reauthorize_reason else flag for flag in step.flags]
    if step.discard:
        extra.append(f"{step.discard.module} {step.discard.reason} ({step.discard.value})")
    return line.rstrip() + (f"\n  {'':<22}  [{'; '.join(extra)}]" if extra else "")


def _outcome_lines(run: FlowRun) -> list[str]:
    lines = ["", f"outcome:     {run.outcome or 'no datagram took part'}"]
    if run.blocked_at:
        lines.append(f"blocked at:  {run.blocked_at}")
    lines += [f"application: {run.application_sees}", f"remote:      {run.remote_sees}"]
    events = ", ".join(f"{entry['event_id']} at layer {entry['runtime_id']}" for entry in run.logged)
    lines.append(f"logged:      {events or 'nothing'}" + (" (where auditing is on)" if events else ""))
    for layer in run.unused_blocks:
        lines.append(f"note:        {layer} was not reached: the verdict asked for there had no effect")
    rows = {name for record in run.own_records for step in record.steps for name in _choices_of(step.rule)}
    flags = {flag for record in run.own_records for step in record.steps for flag in step.flags}
    layers = {catalogue.by_name(labelled.step.layer).stem for labelled in run.steps}
    rows |= {s.choice for s in SETTING_FLAGS if s.flag in flags or layers & set(s.layers)}
    for name in CHOICES:
        if name in rows and CHOICES[name].kind == "dispute":
            option = run.config.choice(name)
            others = ", ".join(o for o in CHOICES[name].option_names() if o != option)
            lines.append(f"disputed:    {name}={option} (other sides: {others}); --assume {name}=... shows them")
    return lines


def _choices_of(rule: str) -> list[str]:
    guards = rule.partition("[")[2].rstrip("]")
    return [part.partition(":")[0].strip() for part in guards.split(";") if ":" in part]
