"""The line-by-line stepper: one line in, lines out, for a person without a full screen and for scripts."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from fsm.cli.walk_file import check_place, load_walk, save_walk, write_file
from fsm.counts import counted
from fsm.errors import FsmError, UnknownName
from fsm.stepper import Node, Walk
from fsm.stimuli import STIMULUS_ALIASES

WHERE = "step"
WIDTH = 76  # of the list of moves
_QUIET = ("hand", "permit", "random", "policy: no filter matches")  # who decided, where that need not be said
HELP = """\
a move            its name, a unique beginning of it, or its number in the list: bind, sendto, sendto@B, block, 3
wait N            let N seconds of model time pass (wait:61 is the same)
go                give the waiting layer what it gets by itself
b [N]  f [N]      N moves back, forward (a classify is a move; nothing is lost)
jump N  reset     to node N of the history, to the start
r [N] [SEED]      N random moves; the same seed, the same walk
until X           run to where X holds (flow=OUT, fired=LAYER, socket=BOUND and time>=60), to the next
                  choice (until choice), or N moves on (until 5)
watch [X]         show X after each move: flow, time, socket=BOUND; unwatch X
break [LAYER]     stop before a layer; again: no more
manual            stop before each layer, or no more
moves  /TEXT      what is possible here and what not; only what contains TEXT
why MOVE          why a move is not possible here
state  ladder     where it stands; which layers have fired
tree              the history with its branches
fork [NAME]       begin a branch here; branches lists them, switch NAME goes to the end of one
t                 the share token of this place
s FILE            save the whole walk; load FILE brings one back
export F FILE     the way to here as F: pytest, dot or mermaid
? quit            this help; the end (as the end of the input is)
Blank lines and lines that begin with # say nothing."""


class Dialogue:
    """What a stepper says to each line.

    Parameters
    ----------
    walk : where it stands.
    say : takes each line of the answers.
    as_json : whether an answer is one JSON object for each classify, or lines of text.
    listing : whether the possible moves are listed after each line.
    seed : of the first random walk that names none; each of them adds 1.
    engine : of the walks that are loaded; `arm` gives them the policy and the callouts of this one.
    """

    def __init__(
        self,
        walk: Walk,
        say: Callable[[str], None],
        *,
        as_json: bool = False,
        listing: bool = False,
        seed: int = 1,
        engine: str = "table",
        arm: Callable[[Walk], None] | None = None,
    ) -> None:
        self.walk = walk
        self._say = say
        self.as_json = as_json
        self._listing = listing
        self._listed: tuple[int, int] | None = None  # the walk and the node whose moves were listed last
        self._seed = seed
        self._engine = engine
        self._arm = arm
        self._commands: dict[str, Callable[[str], None]] = {
            "b": self._back, "back": self._back, "f": self._forward, "forward": self._forward,
            "jump": self._jump, "reset": self._reset, "r": self._random, "random": self._random,
            "wait": lambda given: self._choose(f"wait:{given}"), "go": self._go, "until": self._until,
            "watch": self._watch, "unwatch": self._unwatch, "break": self._break, "manual": self._manual,
            "moves": self._moves, "why": self._why, "state": self._state, "ladder": self._ladder, "tree": self._tree,
            "fork": self._fork, "branches": self._branches, "switch": self._switch, "t": self._token,
            "token": self._token, "s": self._save, "save": self._save, "load": self._load, "export": self._export,
            "?": self._help, "help": self._help,
        }  # fmt: skip

    def hear(self, line: str) -> bool:
        """Do what a line says; False at the end of the dialogue.

        Raises
        ------
        FsmError : a line that makes no sense here; nothing has changed.
        """
        line = line.strip()
        if not line or line.startswith("#"):
            return True
        word, _, rest = line.partition(" ")
        rest = rest.strip()
        if word in ("quit", "q", "exit"):
            return False
        if line.startswith("/"):
            self._moves(line[1:])
        elif word in self._commands:
            self._commands[word](rest)
        else:
            self._choose(self._meant(line))
        return True

    def prompt(self) -> None:
        """Say what is possible, where that was not said already: what a person sees before a line."""
        here = (id(self.walk), self.walk.at)
        if self._listing and here != self._listed:
            self._list(self.walk.moves)
        self._listed = here

    # -- moves ----------------------------------------------------------------------------------------------------

    def _meant(self, given: str) -> str:
        """The move that a word, its beginning or its number means."""
        walk = self.walk
        moves = walk.moves
        if given.isascii() and given.isdecimal():
            number = int(given[:6])
            if not 1 <= number <= len(moves):
                raise UnknownName(WHERE, f"there is no move {given[:12]}", f"Moves here: {_numbered(moves) or 'none'}")
            return moves[number - 1]
        # A session's moves are sentences; an endpoint's are a word, and perhaps a peer.
        words = walk.system.can_wait
        stem, at, peer = given.partition("@") if words else (given, "", "")
        folded = stem.casefold().replace("-", "_") if words else stem.casefold()
        listed = {(move.partition("@")[0] if words else move): move for move in moves}
        refused = {(move.partition("@")[0] if words else move): move for move, _ in walk.refused}
        if folded in STIMULUS_ALIASES or any(name.casefold() == folded for name in (*listed, *refused)):
            return given
        for known in (listed, refused):
            fitting = [name for name in known if name.casefold().startswith(folded)]
            if len(fitting) == 1:
                return f"{fitting[0]}@{peer}" if at else known[fitting[0]]
            if fitting:
                raise UnknownName(WHERE, f"'{given}' begins {len(fitting)} moves", f"Meant: {', '.join(fitting)}")
        return given

    def _choose(self, move: str) -> None:
        start = self.walk.at
        try:
            nodes = self.walk.choose(move)
        except UnknownName as error:
            raise UnknownName(error.where, error.what, error.nearest, "The line ? lists the commands") from None
        self._told(nodes, start)

    def _go(self, given: str) -> None:
        start = self.walk.at
        self._told(self.walk.step_on(), start)

    def _random(self, given: str) -> None:
        words = given.split()
        steps = self._number(words[0], "r") if words else 1
        seed = self._number(words[1], "r") if len(words) > 1 else self._seed
        self._seed = seed + 1
        start = self.walk.at
        nodes = self.walk.random(steps, seed)
        self._told(nodes, start, note=f"random: {counted(len(nodes), 'move')}, seed {seed}")

    def _until(self, given: str) -> None:
        start = self.walk.at
        until: str | int = int(given) if given.isascii() and given.isdecimal() and len(given) < 7 else given
        ran = self.walk.run_until(until)
        reasons = {
            "reached": f"reached: {given}",
            "choice": "a choice has to be made",
            "steps": f"{counted(len(ran.nodes), 'move')} done",
            "end": "no move is left",
            "unreachable": f"not reached: no way from here leads there ({counted(ran.places, 'place')} looked at)",
            "unknown": f"unknown: not found among {counted(ran.places, 'place')}",
        }
        self._told(ran.nodes, start, note=f"until: {reasons[ran.verdict]}")

    def _told(self, nodes: Sequence[Node], start: int, note: str = "") -> None:
        """Say what was done: one line, or one object, for each classify."""
        walk = self.walk
        before = start
        for index, node in enumerate(nodes):
            last = index == len(nodes) - 1
            silent = not node.layers
            # The beginning of a stimulus is told with its first layer.
            if silent and not last and walk.system.layer(node.place) and nodes[index + 1].parent == node.number:
                continue
            for step_number, step in enumerate([step for step in node.steps if step.layer] or [None]):
                final = step_number == max(len(node.layers), 1) - 1
                changed = walk.changed_between(before, node.number) if final else {}
                layer, verdict = (step.layer, step.verdict) if step else (None, None)
                self._say(
                    json.dumps(self.object_of(node, layer, verdict, changed))
                    if self.as_json
                    else self._line(node, layer, verdict, changed)
                )
            before = node.number
        if not self.as_json:
            self._after(note)
        elif note:
            self._say(json.dumps({"note": note, "moves": len(nodes)}))

    def object_of(
        self, node: Node, layer: str | None, verdict: str | None, changed: dict[str, tuple[str, str]]
    ) -> dict[str, Any]:
        """One classify as the JSON that `--format json` writes."""
        walk = self.walk
        system = walk.system
        try:
            token: str | None = walk.token_at(node.number)
        except FsmError:
            token = None  # too long to be shared: said in the help of the command
        found: dict[str, Any] = {
            "n": node.number,
            "move": walk.stimulus(node.number),
            "layer": layer,
            "verdict": verdict,
            "state": system.state(node.place),
            "changed": {name: list(pair) for name, pair in changed.items()},
            "moves": list(system.moves(node.place)),
            "refused": [{"move": move, "why": why} for move, why in system.refusals(node.place)],
            "token": token,
            "decided_by": node.decided_by,
        }
        if walk.watches:
            found["watches"] = walk.watches_at(node.number)
        if node.number == walk.at and walk.question:
            found["question"] = walk.question
        return found

    def _line(self, node: Node, layer: str | None, verdict: str | None, changed: dict[str, tuple[str, str]]) -> str:
        walk = self.walk
        stimulus = walk.stimulus(node.number)
        short = layer.removeprefix("FWPM_LAYER_") if layer else "no layer sees this"
        if not layer and walk.system.layer(node.place):
            short = "begins"
        quiet = ("stimulus", "position", "layer", "outcome", "peer")
        changes = [f"{name} {old} -> {new}" for name, (old, new) in changed.items() if name not in quiet]
        if walk.system.can_wait:
            outcome = walk.outcome(node.number) if "outcome" in changed else ""
            place = walk.system.state(node.place)
            width = 16
        else:
            outcome, place, width = "", "", 28
        by = (
            ""
            if node.decided_by in ("hand", "permit", "random", "policy: no filter matches")
            else f"({node.decided_by})"
        )
        parts = (f"{node.number:>4}  {stimulus:<{width}}  {short:<36}{verdict or '':<9}", place, by)
        line = " ".join(part for part in parts if part)
        if changes:
            line += f"  [{'; '.join(changes)}]"
        return (line + (f"  => {outcome}" if outcome else "")).rstrip()

    def _after(self, note: str) -> None:
        walk = self.walk
        if note:
            self._say(note)
        if walk.layer:
            self._say(f"      waits: {walk.layer.removeprefix('FWPM_LAYER_')} ({', '.join(walk.moves)})")
            if walk.question:
                self._say(f"      the policy leaves it open: {walk.question}")
            elif (suggested := walk.suggestion)[1] != "permit":
                self._say(f"      go: {suggested[0]} ({suggested[1]})")
        for expression, value in walk.watches.items():
            self._say(f"      watch: {expression} -> {value}")

    def _answer(self, lines: Sequence[str], **found: Any) -> None:
        """Say what is no move: lines of text, or one object."""
        if self.as_json:
            self._say(json.dumps(found))
            return
        for line in lines:
            self._say(line)

    # -- in the history -------------------------------------------------------------------------------------------

    def _stand(self) -> None:
        """Say where it stands after a move in the history."""
        walk = self.walk
        if self.as_json:
            node = walk.node
            self._say(json.dumps(self.object_of(node, node.layer or None, node.verdict or None, walk.changed)))
            return
        self._say(f"at {walk.at}: {walk.state}" + (f", branch {walk.branch}" if len(walk.branches) > 1 else ""))
        self._after("")

    def _back(self, given: str) -> None:
        self.walk.back(self._number(given, "b") if given else 1)
        self._stand()

    def _forward(self, given: str) -> None:
        self.walk.forward(self._number(given, "f") if given else 1)
        self._stand()

    def _jump(self, given: str) -> None:
        self.walk.jump(self._number(given, "jump"))
        self._stand()

    def _reset(self, given: str) -> None:
        self.walk.reset()
        self._stand()

    def _fork(self, given: str) -> None:
        name = self.walk.fork(given)
        self._answer([f"branch {name} begins at {self.walk.at}"], branch=name, at=self.walk.at)

    def _switch(self, given: str) -> None:
        self.walk.switch(given)
        self._stand()

    def _branches(self, given: str) -> None:
        walk = self.walk
        lines = [
            f"{'*' if name == walk.branch else ' '} {name:<16}  ends at {tip}: "
            + walk.system.state(walk.nodes[tip].place)
            for name, tip in walk.branches.items()
        ]
        self._answer(lines, branches=walk.branches, branch=walk.branch)

    def _tree(self, given: str) -> None:
        """Every node; what forks is set in, so that a long way stays a column."""
        walk = self.walk
        if self.as_json:
            self._answer([], nodes=[{"n": n.number, "parent": n.parent, "move": n.move} for n in walk.nodes])
            return
        ends: dict[int, list[str]] = {}
        for name, tip in walk.branches.items():
            ends.setdefault(tip, []).append(name)
        waiting = [(0, 0)]
        while waiting:
            number, inset = waiting.pop()
            node = walk.nodes[number]
            mark = ">" if number == walk.at else " "
            what = node.move or "start"
            layer = f" {node.layer.removeprefix('FWPM_LAYER_')}" if node.layer else ""
            branch = f"  <- {', '.join(ends[number])}" if number in ends else ""
            self._say(f"{mark}{number:>4} {'| ' * inset}{what}{layer}  {walk.system.state(node.place)}{branch}")
            children = walk.children(number)
            # The first way on stays in its column and is told last, below what forks off.
            waiting += [(child.number, inset + (index > 0)) for index, child in enumerate(children)]

    # -- what there is --------------------------------------------------------------------------------------------

    def _help(self, given: str) -> None:
        self._answer(HELP.splitlines(), help=HELP.splitlines())

    def _list(self, moves: Sequence[str]) -> None:
        all_moves = list(self.walk.moves)
        numbered = [f"{all_moves.index(move) + 1:>2} {move}" for move in moves]
        if not self.walk.system.can_wait:
            for line in numbered:  # sentences: one on a line
                self._say(f"  {line}")
            return
        width = max(map(len, numbered), default=0) + 2
        across = max(WIDTH // width, 1)
        for first in range(0, len(numbered), across):
            self._say("  " + "".join(f"{one:<{width}}" for one in numbered[first : first + across]).rstrip())

    def _moves(self, given: str) -> None:
        walk = self.walk
        wanted = given.strip().casefold()
        moves = [move for move in walk.moves if wanted in move.casefold()]
        refused = [(move, why) for move, why in walk.refused if wanted in move.casefold()]
        if self.as_json:
            self._answer([], moves=moves, refused=[{"move": move, "why": why} for move, why in refused])
            return
        self._list(moves)
        for move, why in refused:
            self._say(f"   - {move}: {why}")
        if not moves and not refused:
            self._say(f"no move contains '{given.strip()}'")

    def _why(self, given: str) -> None:
        walk = self.walk
        if not given:
            raise FsmError("why", "no move is named", fix="Write why MOVE")
        move = walk.system.spelled(walk.place, self._meant(given), "why")
        found = dict(walk.refused)
        if move in walk.moves:
            why = "it is possible here"
        elif move in found:
            why = found[move]
        else:
            why = self._try(move)
        self._answer([f"{move}: {why}"], move=move, why=why)

    def _try(self, move: str) -> str:
        """The reason for a move that is not listed: for another peer, or a time."""
        try:
            self.walk.system.take(self.walk.place, move)
        except FsmError as error:
            return error.what
        return "it is possible here"

    def _state(self, given: str) -> None:
        walk = self.walk
        changed = walk.changed
        lines = [f"at {walk.at}, branch {walk.branch}: {walk.state}"]
        for name, value in walk.values.items():
            lines.append(f"  {name:<12} {value}" + (f"  (was {changed[name][0]})" if name in changed else ""))
        shown = {name: list(pair) for name, pair in changed.items()}
        self._answer(lines, n=walk.at, branch=walk.branch, state=walk.state, values=walk.values, changed=shown)

    def _ladder(self, given: str) -> None:
        steps = self.walk.ladder
        lines = [
            f"{number:>3}  {step.layer.removeprefix('FWPM_LAYER_'):<36}{step.runtime_id:>3}  {step.verdict:<9}"
            f"{step.stimulus}  {step.basis}: {', '.join(step.cite)}"
            for number, step in enumerate(steps, start=1)
        ]
        rungs = [
            {"layer": s.layer, "runtime_id": s.runtime_id, "verdict": s.verdict, "stimulus": s.stimulus, "rule": s.rule,
             "basis": s.basis, "cite": list(s.cite)}
            for s in steps
        ]  # fmt: skip
        self._answer(lines or ["no layer has fired yet"], ladder=rungs)

    def _watch(self, given: str) -> None:
        if given:
            self.walk.watch(given)
        watches = self.walk.watches
        lines = [f"watch: {expression} -> {value}" for expression, value in watches.items()]
        self._answer(lines or ["nothing is watched"], watches=watches)

    def _unwatch(self, given: str) -> None:
        self.walk.unwatch(given)
        self._watch("")

    def _break(self, given: str) -> None:
        if given:
            self.walk.break_at(given)
        layers = self.walk.breakpoints
        lines = [f"break: {layer.removeprefix('FWPM_LAYER_')}" for layer in layers]
        self._answer(lines or ["no breakpoint"], breakpoints=list(layers))

    def _manual(self, given: str) -> None:
        self.walk.manual = not self.walk.manual
        text = "stops before each layer" if self.walk.manual else "a stimulus runs to its end"
        self._answer([text], manual=self.walk.manual)

    # -- files ----------------------------------------------------------------------------------------------------

    def _token(self, given: str) -> None:
        token = self.walk.token
        self._answer([token], token=token)

    def _save(self, given: str) -> None:
        save_walk(self.walk, given, "save")
        self._answer([f"saved: {given}"], saved=given)

    def _load(self, given: str) -> None:
        walk = load_walk(given, "load", engine=self._engine)
        if self._arm is not None:
            self._arm(walk)
        self.walk = walk
        if walk.notice:
            self._answer([walk.notice], note=walk.notice)
        self._stand()

    def _export(self, given: str) -> None:
        form, _, file = given.partition(" ")
        makers: dict[str, Callable[[], str]] = {
            "pytest": self.walk.to_pytest, "dot": self.walk.to_dot, "mermaid": self.walk.to_mermaid,
        }  # fmt: skip
        if form not in makers:
            raise UnknownName.of("export", "form", form, makers, "Write export pytest FILE.")
        where = f"export {form}"
        check_place(file.strip(), where)
        write_file(file.strip(), makers[form](), where)
        self._answer([f"written: {file.strip()}"], written=file.strip())

    def _number(self, given: str, where: str) -> int:
        if not (given.isascii() and given.isdecimal()) or len(given) > 10:
            raise FsmError(where, f"'{given}' is no number", fix=f"Write {where} 3")
        return int(given)


def _numbered(moves: Sequence[str]) -> str:
    return ", ".join(f"{number} {move}" for number, move in enumerate(moves, start=1))
