"""The ways of one datagram with two policies, side by side: the steps that differ are marked."""

from __future__ import annotations

from collections.abc import Sequence

from fsm.choices import Choice, Option
from fsm.draw.dispute_picture import comparison_dot
from fsm.draw.dispute_text import comparison_mermaid, comparison_text
from fsm.draw.pictures import Picture
from fsm.draw.rungs import ladder_of
from fsm.draw.variants import Case, Comparison, Variant, items, merged
from fsm.flows import FlowRun, LabelledStep, label_of
from fsm.policy.answer import Whatif
from fsm.policy.whatif_text import headline


def policies_picture(question: str, answers: Sequence[tuple[str, Whatif]]) -> Picture:
    """What `whatif` answered for one datagram with several policies.

    Parameters
    ----------
    question : the heading: which datagram.
    answers : (name of the policy, answer).
    """
    options = [Option(name, (), _ascii(headline(answer)), ()) for name, answer in answers]
    runs = [_run(answer) for _, answer in answers]
    config = answers[0][1].config
    about = f"IPv{config.ip}, Windows {config.windows}, evidence: {config.evidence}"
    comparison = Comparison(
        Choice("policies", "setting", _ascii(question), tuple(options), "filters"),
        Case(),
        about,
        f"Asked: {' '.join(answers[0][1].stimuli)}",
        tuple(Variant(option, run, "", "", False) for option, run in zip(options, runs, strict=True)),
        merged([items(ladder_of(run)) for run in runs]),
    )
    said = "; ".join(f"{option.name}: {option.text}" for option in options)
    return Picture(
        "policies", "setting", f"policies: {question}", f"Side by side, each with its steps. {said}", question,
        lambda dark, background: comparison_dot(comparison, dark=dark, background=background),
        lambda: comparison_mermaid(comparison),
        lambda: comparison_text(comparison),
    )  # fmt: skip


def _ascii(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode()


def _run(answer: Whatif) -> FlowRun:
    steps = [LabelledStep(label_of(step.position), step) for record in answer.records for step in record.classified]
    run = FlowRun("", " ".join(answer.stimuli), answer.endpoint, answer.config, answer.setup, answer.stimuli)
    run.records.extend(answer.records)
    run.steps.extend(steps)
    return run
