"""`wfp-udp explain`: what the records of a log mean."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO

import click

from fsm.cli.options import format_option, number_or_all
from fsm.errors import FsmError
from fsm.explain.explained import Explained
from fsm.explain.explainer import Account, Explainer
from fsm.explain.filters import FilterBook
from fsm.explain.history import DEFAULT_LIMIT
from fsm.explain.place import Placer
from fsm.explain.report import account_text, event_line, groups_text, listing_text, policy_text, summary_text
from fsm.explain.summary import Summary
from fsm.explain.to_json import write_json
from fsm.logs import LogItem, read

LISTED_EVENTS = 20

if TYPE_CHECKING:
    from fsm.choices import Config
    from fsm.explain.to_page import PageEvents


@click.command(name="explain", short_help="Explain the events of a recorded log.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@format_option
@click.option(
    "--events",
    callback=number_or_all,
    default=str(LISTED_EVENTS),
    show_default=True,
    metavar="N|all",
    help="Single records to list (text).",
)
@click.option(
    "--evidence-report", is_flag=True, help="Count which rules the records confirm, contradict or never show."
)
@click.option("--diagram", type=click.Path(dir_okay=False, writable=True), help="Draw the events on the machine here.")
@click.option(
    "--policy",
    "policy_file",
    metavar="FILE",
    help="Name the filters behind the ids: a 'netsh wfp show state' of the same machine and start of Windows.",
)
@click.option("--html", metavar="FILE", help="Write a page with a slider through the events here.")
@click.option(
    "--history",
    type=click.IntRange(min=1),
    default=DEFAULT_LIMIT,
    show_default=True,
    metavar="N",
    help="Earlier flows and ports remembered per host (of each kind).",
)
def command(
    files: tuple[str, ...],
    output_format: str,
    events: int | None,
    evidence_report: bool,
    diagram: str | None,
    policy_file: str | None,
    html: str | None,
    history: int,
) -> None:
    """Say what each recorded UDP, ICMP or other non-TCP event means.

    FILE is a Security log or net events in any form that can be read, also in .zip, .gz and .tar.gz; `-` is standard
    input. Several files are one log in the order given; what one host did is kept apart from the others.

    With --evidence-report the rules of the model are judged instead, over all files together: what the records show,
    what they contradict, and what no such log can show. --diagram then draws how many records show each rule.

    With --policy the filters behind the ids are named: name, sublayer, provider, callout and origin. Ids are given
    anew at each start of Windows, so it is said whether they are those of this policy; where they are not, none is
    named. --html writes one page that steps through the events, with the picture; it holds 1,000 of them at most.

    The exit status is 0 when at least one record was readable, and 2 when none was or a file is damaged; what could
    be read is printed in any case.
    """
    if diagram:  # before anything is read: a mistake in the name is told at once
        from fsm.cli.picture_file import check_folder, format_of

        try:
            format_of(None, diagram)
            check_folder(Path(diagram))
        except FsmError as error:
            raise FsmError(f"--diagram {diagram}", error.what, error.nearest, "Give another file") from None
    filters = _filters(policy_file, evidence_report)
    page = _page_events(html, evidence_report)
    explainer, summary = Explainer(_placer(), history, filters), Summary(page.add if page is not None else None)
    by_row: Mapping[str, int] = summary.by_row
    inputs: list[str | BinaryIO] = [sys.stdin.buffer if name == "-" else name for name in files]
    with _Meter(sys.stderr) as meter:
        items = read(inputs, progress=meter.show if meter.is_on else None)
        if evidence_report:
            by_row = _print_evidence(explainer, items, output_format, meter)
        elif output_format == "json":
            write_json(explainer, items, summary, lambda text: click.echo(text, nl=False), filters)
        else:
            _print_text(explainer, items, summary, events, meter, filters)
    if diagram:
        write_diagram(diagram, by_row)
    if html and page is not None:
        _write_page(html, page, explainer.account, files, filters)
    if not explainer.account.readable or explainer.account.container_broken:
        sys.exit(2)


def _placer() -> Placer:
    from fsm.placement import place

    return place


def _filters(policy_file: str | None, evidence_report: bool) -> FilterBook | None:
    from fsm.policy.read import read_policy

    if policy_file is None:
        return None
    if evidence_report:
        raise FsmError("--policy", "the evidence report names no filters", fix="Leave out one of the two")
    filters = FilterBook(read_policy(policy_file))
    if not len(filters):
        what = "no filter in it has a run-time id, so there is nothing to look up"
        raise FsmError(f"--policy {policy_file}", what, fix="Give the XML of netsh wfp show state")
    return filters


def _page_events(html: str | None, evidence_report: bool) -> PageEvents | None:
    """Where the events of the page are kept; a mistake in its name is told before anything is read."""
    if html is None:
        return None
    if evidence_report:
        raise FsmError("--html", "the page shows events, and the evidence report has none", fix="Leave out one of them")
    from fsm.cli.walk_file import check_place
    from fsm.explain.to_page import PageEvents

    check_place(html, "--html")
    return PageEvents()


def _write_page(
    html: str, page: PageEvents, account: Account, files: tuple[str, ...], filters: FilterBook | None
) -> None:
    from fsm.cli.walk_file import write_file
    from fsm.explain.to_page import log_page

    if not page.count:
        click.echo(f"{html}: not written, no record is about a datagram or socket other than TCP's", err=True)
        return
    text = log_page(page, account, files, filters)
    write_file(html, text, "--html")
    left_out = page.left_out()
    told = f"; {left_out}" if left_out else ""
    click.echo(f"{html}: {len(text.encode()) / 1000:.0f} kB, open it in a browser{told}", err=True)


def write_diagram(path: str, by_row: Mapping[str, int]) -> None:
    """Draw the one-page picture with incidents as counts: `by_row` by row key.

    The machine is the one that logs show (`--evidence observed`), since the counts come from a log.
    """
    from fsm.choices import configure
    from fsm.cli.picture_file import format_of, save
    from fsm.draw.overlay import Overlay
    from fsm.draw.pictures import PACKET_PATH, picture

    config = configure(evidence="observed")
    # By rule, not by layer: a layer stands at several places, and the record was at one of them.
    overlay = Overlay(counts=_as_drawn(by_row, config))
    shown = picture(PACKET_PATH, config, overlay=overlay, where="--diagram")
    save(shown, path, format_of(None, path))


def _as_drawn(by_row: Mapping[str, int], config: Config) -> dict[str, int]:
    """Counts of rows that this machine does not have go to its row for the same cell: dual-stack binds, echo, IPv6."""
    from fsm.choices import CHOICES
    from fsm.rules import RULES

    chosen = {name: config.choice(name) for name in CHOICES}
    active = [row for row in RULES if all(chosen[name] in options for name, options in row.choices)]
    keys = {row.key for row in active}
    cells: dict[tuple[str, str, object], str] = {}
    for row in active:
        cells.setdefault((row.at, row.event, dict(row.when).get("stimulus")), row.key)
    rows = {row.key: row for row in RULES}
    drawn: dict[str, int] = {}
    for key, count in by_row.items():
        row = rows[key]
        cell = (row.at.removesuffix("_v6"), row.event, dict(row.when).get("stimulus"))
        place = key if key in keys else cells.get(cell, key)
        drawn[place] = drawn.get(place, 0) + count
    return drawn


def _print_text(
    explainer: Explainer,
    items: Iterable[LogItem],
    summary: Summary,
    limit: int | None,
    meter: _Meter,
    filters: FilterBook | None,
) -> None:
    """Summary first, though it is known last: the lines of single records wait in a temporary file."""
    with tempfile.TemporaryFile("w+", encoding="ascii") as all_lines:
        listing = _Listing(limit, all_lines)
        for explained in explainer.run(items):
            summary.add(explained)
            listing.add(explained)
        meter.close()
        click.echo(summary_text(summary, explainer.account))
        if filters is not None:
            click.echo("\n" + policy_text(filters))
        if summary.groups():
            click.echo("\n" + groups_text(summary, filters))
        for part in listing.parts(explainer.account):
            click.echo(part)


def _print_evidence(
    explainer: Explainer, items: Iterable[LogItem], output_format: str, meter: _Meter
) -> Mapping[str, int]:
    """Print the report; what it comes to by row, for a picture."""
    from fsm.evidence import Evidence
    from fsm.explain.evidence_text import evidence_text
    from fsm.explain.to_json import write_evidence

    evidence = Evidence(explainer.account.history_limit)
    for explained in explainer.run(items):
        evidence.add(explained)
    meter.close()
    report = evidence.report()
    if output_format == "json":
        write_evidence(report, explainer.account, lambda text: click.echo(text, nl=False))
    else:
        click.echo(account_text(explainer.account))
        click.echo("\n" + evidence_text(report))
    return report.counts


class _Listing:
    """The single records to list: what was not allowed goes first, everything only when asked for."""

    def __init__(self, limit: int | None, spool: IO[str]) -> None:
        self._limit = limit
        self._spool = spool
        self._dropped: list[Explained] = []
        self._first: list[Explained] = []
        self._hosts: set[str] = set()
        self.dropped = 0

    def add(self, explained: Explained) -> None:
        refused = explained.verdict != "permit"
        self.dropped += refused
        if self._limit is None:
            self._spool.write(event_line(explained, hosts=True) + "\n")
            return
        if refused and len(self._dropped) < self._limit:
            self._dropped.append(explained)
        if len(self._first) < self._limit:
            self._first.append(explained)

    def parts(self, account: Account) -> Iterator[str]:
        """The text, in pieces so that a long list is never held as a whole."""
        if self._limit == 0 or not account.explained:
            return
        if self._limit is None:
            self._spool.seek(0)
            yield "\n" + listing_text((), account.explained, account.explained, "All records")
            for line in self._spool:
                yield "  " + line.rstrip("\n")
            return
        chosen, of, what = self._first, account.explained, "Records"
        if self.dropped:
            chosen, of, what = self._dropped, self.dropped, "Not allowed"
        lines = [event_line(one, hosts=account.hosts > 1) for one in chosen]
        yield "\n" + listing_text(lines, len(lines), of, what)


class _Meter:
    """A progress bar on a terminal, nothing in a pipe; it shows up when reading takes longer than half a second."""

    WIDTH = 30

    def __init__(self, stream: IO[str]) -> None:
        self.is_on = stream.isatty()
        self._stream = stream
        self._began = time.monotonic()
        self._shown = False

    def __enter__(self) -> _Meter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def show(self, source: str, done: int, size: int | None) -> None:
        if not self.is_on or time.monotonic() - self._began < 0.5:
            return
        name = source.replace("\\", "/").rsplit("/", 1)[-1][:30]
        if size:
            full = min(self.WIDTH, self.WIDTH * done // size)
            bar = f"[{'#' * full}{'.' * (self.WIDTH - full)}] {min(100, 100 * done // size):3d} %"
        else:
            bar = f"{done / 1e6:,.1f} MB"
        self._stream.write(f"\r{name} {bar}  ")
        self._stream.flush()
        self._shown = True

    def close(self) -> None:
        if self._shown:
            self._stream.write("\r" + " " * 79 + "\r")
            self._stream.flush()
            self._shown = False
