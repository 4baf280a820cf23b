"""Read scenario files. Every name is checked here, so that a misspelt expectation is an error and never a pass.

One statement a line; `#` begins a comment; upper and lower case matter in names only. In order:

    scenario TITLE                               begins one; a file holds any number
    ip 4|6                                       the machine: as the options of the command line
    windows VERSION
    evidence base|documented|observed
    assume DISPUTE=OPTION
    socket NAME is sender|receiver               who takes part
    port NAME is closed
    VERDICT at LAYER [on NAME]                   from here on: permit, block, absorb, pend, redirect
    policy FILE [ordinary] [callouts permit]     from here on; a path beside the scenario file
    local is ADDRESS[:PORT] [on NAME]            what the policy is asked about; else example addresses
    peer PEER is ADDRESS[:PORT] [on NAME]
    program is PATH [on NAME]
    at TIME NAME STIMULUS [to|from PEER]         TIME: 0s, 61s, or +5s after the one before
    answers LAYER[:VERDICT[!]] ...               the layers that come, in order, and what each answers this time;
                                                 `!`: the layer must refuse that verdict, and is asked again
    expect layers LAYER[:VERDICT][+FLAG...] ...  exactly these, in this order; `...` stands for any
    expect no layer LAYER
    expect outcome NAME [at LAYER]               a name of the outcomes, or none
    expect application "TEXT"                    is part of what the application is told
    expect remote "TEXT"
    expect logged EVENT ... | none               Security event ids, in order
    expect state NAME=VALUE ...                  afterwards; names and values of the registers; flow@PEER=VALUE
                                                 where another peer is meant than that of the line
    expect refused ["TEXT"]                      the model must not allow it, for a reason that holds TEXT

`answers` and `expect` lines belong to the `at` line above them.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import replace

from fsm.choices import Config, configure, default_config
from fsm.endpoint import FIRST_PEER
from fsm.names import ENDPOINTS, OUTCOMES, REGISTERS, VERDICTS
from fsm.rules import RULES
from fsm.scenarios.draft import Draft, ScenarioError, Word, is_taken, known_endpoint, layer_of, table_of, takes, unknown
from fsm.scenarios.model import Do, Expectation, ExpectedLayer, Scenario, SetVerdict, Spot
from fsm.scenarios.policies import check_told, read_policy_line, read_told
from fsm.stimuli import STIMULI

SETTINGS: tuple[str, ...] = ("ip", "windows", "evidence", "assume")
STATEMENTS: tuple[str, ...] = (
    "scenario",
    *SETTINGS,
    "socket",
    "port",
    "policy",
    "local",
    "peer",
    "program",
    "at",
    "answers",
    "expect",
    *VERDICTS[:-1],
)
EXPECTATIONS: tuple[str, ...] = (
    "layers", "no layer", "outcome", "application", "remote", "logged", "state", "refused",
)  # fmt: skip
KINDS = {"sender": "sender", "receiver": "receiver", "closed": "dropped_port"}
MAX_LINE = 2_000
MAX_TIME_S = 999_999_999

_WORD = re.compile(r'"([^"]*)"|(")|[^\s"]+')


def grammar_text() -> str:
    """The language, as the beginning of this module states it."""
    assert __doc__ is not None
    return textwrap.dedent("\n".join(__doc__.splitlines()[3:-2])).strip("\n")


def parse(text: str, source: str = "scenario") -> tuple[Scenario, ...]:
    """The scenarios of a file, in order.

    Parameters
    ----------
    text : the file's text; `source` is its name for messages.

    Raises
    ------
    ScenarioError : a line that says nothing known, with line and column and the nearest that would.
    """
    drafts: list[Draft] = []
    for words in _lines(text.removeprefix("\ufeff"), source):
        if words[0].text == "scenario":
            drafts.append(_begin(words, drafts))
        elif not drafts:
            raise ScenarioError(
                str(words[0].spot), f"'{words[0].text}' stands before any scenario", fix="Begin with: scenario TITLE"
            )
        else:
            _read(drafts[-1], words)
    if not drafts:
        raise ScenarioError(source, "there is no scenario in it", fix="Begin with: scenario TITLE")
    return tuple(_finished(draft) for draft in drafts)


def _lines(text: str, source: str) -> Iterator[list[Word]]:
    # Not splitlines: an editor counts no line for a form feed, and the lines of messages are those of the editor.
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        if len(line) > MAX_LINE:
            raise ScenarioError(f"{source}:{number}:1", f"the line has {len(line)} characters; {MAX_LINE} are allowed")
        words: list[Word] = []
        for match in _WORD.finditer(line):
            spot = Spot(source, number, match.start() + 1)
            if match[2]:
                raise ScenarioError(str(spot), "a quotation mark without its end", fix='Write "TEXT"')
            if match[1] is None and match[0].startswith("#"):
                break
            words.append(Word(match[0] if match[1] is None else match[1], spot, match[1] is not None))
        if words:
            yield words


def _begin(words: list[Word], drafts: list[Draft]) -> Draft:
    title = " ".join(word.text for word in words[1:])
    if not title:
        raise ScenarioError(str(words[0].spot), "a scenario has no title", fix="Write: scenario TITLE")
    if "::" in title:
        raise ScenarioError(
            str(words[1].spot), "'::' in a title; pytest parts a file from its scenario with it", fix="Write one colon"
        )
    for before in drafts:
        if before.title == title:
            raise ScenarioError(
                str(words[1].spot), f"a second scenario '{title}' (first in line {before.spot.line})", fix="Rename one"
            )
    return Draft(title, words[0].spot)


def _read(draft: Draft, words: list[Word]) -> None:
    first = words[0]
    match first.text:
        case "ip" | "windows" | "evidence" | "assume":
            _setting(draft, words)
        case "socket" | "port":
            _endpoint(draft, words)
        case "policy":
            read_policy_line(draft, words)
        case "local" | "peer" | "program":
            read_told(draft, words)
        case "at":
            _do(draft, words)
        case "answers":
            _answers(draft, words)
        case "expect":
            _expect(draft, words)
        case verdict if verdict in VERDICTS:
            _verdict(draft, words)
        case _:
            raise unknown(first, "statement", STATEMENTS)


# -- the machine and who takes part ---------------------------------------------------------------------------------


def _setting(draft: Draft, words: list[Word]) -> None:
    name, spot = words[0].text, words[0].spot
    takes(words, 2, f"{name} {'DISPUTE=OPTION' if name == 'assume' else 'VALUE'}")
    if draft.config is not None:
        raise ScenarioError(str(spot), f"'{name}' comes after the first endpoint", fix="Put settings before it")
    value = words[1].text
    if name == "assume":
        choice, equals, option = value.partition("=")
        if not equals or choice in draft.assume:
            what = f"'{value}' is not DISPUTE=OPTION" if not equals else f"'{choice}' is assumed twice"
            raise ScenarioError(str(words[1].spot), what, fix="Write: assume close=nothing")
        draft.assume[choice] = option
        draft.setting_spots[choice] = words[1].spot
        _configured(draft, words[1].spot)
        return
    if name in draft.settings:
        raise ScenarioError(str(spot), f"'{name}' is set twice", fix="Keep one")
    draft.settings[name] = value
    _configured(draft, words[1].spot)


def _configured(draft: Draft, spot: Spot) -> Config:
    usual = default_config()
    ip = draft.settings.get("ip", str(usual.ip))
    if not ip.isascii() or not ip.isdecimal() or len(ip) > 2:
        raise ScenarioError(str(spot), f"'{ip}' is no IP version", "Allowed: 4, 6")
    return configure(
        ip=int(ip),
        windows=draft.settings.get("windows", usual.windows),
        evidence=draft.settings.get("evidence", usual.evidence),
        assume={**dict(usual.assume), **draft.assume},
        where=str(spot),
    )


def _endpoint(draft: Draft, words: list[Word]) -> None:
    form = "socket NAME is sender|receiver, or: port NAME is closed"
    takes(words, 4, form)
    name, kind = words[1], words[3]
    if words[2].text != "is":
        raise ScenarioError(str(words[2].spot), f"'{words[2].text}' where 'is' belongs", fix=f"Write: {form}")
    allowed = ("sender", "receiver") if words[0].text == "socket" else ("closed",)
    if kind.text not in allowed:
        raise unknown(kind, f"kind of {words[0].text}", allowed)
    if name.text in draft.endpoints or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]{0,31}", name.text):
        what = "is declared twice" if name.text in draft.endpoints else "is no name: letters, digits, _ and -"
        raise ScenarioError(str(name.spot), f"'{name.text}' {what}")
    draft.config = draft.config or _configured(draft, words[0].spot)
    draft.endpoints[name.text] = KINDS[kind.text]


# -- what happens ---------------------------------------------------------------------------------------------------


def _verdict(draft: Draft, words: list[Word]) -> None:
    form = f"{words[0].text} at LAYER [on NAME]"
    if len(words) < 3 or words[1].text != "at":
        raise ScenarioError(str(words[min(1, len(words) - 1)].spot), "'at LAYER' is missing", fix=f"Write: {form}")
    endpoint = ""
    if len(words) > 3:
        takes(words, 5, form)
        if words[3].text != "on":
            raise ScenarioError(str(words[3].spot), f"'{words[3].text}' where 'on' belongs", fix=f"Write: {form}")
        endpoint = known_endpoint(draft, words[4])
    layer = layer_of(draft, words[2], words[2].text)
    verdict = words[0].text
    views = [endpoint] if endpoint else list(draft.endpoints)
    if not any(is_taken(table_of(draft, view), layer.fwpm_name, verdict) for view in views):
        raise ScenarioError(
            str(words[2].spot), f"no endpoint here ever takes {verdict} at {layer.fwpm_name}", fix="Leave the line out"
        )
    draft.actions.append(SetVerdict(words[0].spot, verdict, layer.fwpm_name, endpoint))


def _do(draft: Draft, words: list[Word]) -> None:
    form = "at TIME NAME STIMULUS [to|from PEER]"
    if len(words) not in (4, 6):
        takes(words, 4 if len(words) < 4 else 6, form)
    name = known_endpoint(draft, words[2])
    at_s = _time(draft, words[1])
    stimulus = _stimulus(draft, name, words[3])
    peer = ""
    if len(words) == 6:
        peer = words[5].text
        if words[4].text not in ("to", "from"):
            raise ScenarioError(str(words[4].spot), f"'{words[4].text}' where 'to' or 'from' belongs", fix=form)
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", peer):
            raise ScenarioError(str(words[5].spot), f"'{peer}' is no name of a peer: letters, digits, _ and -")
        if not STIMULI[stimulus].with_peer:
            raise ScenarioError(str(words[4].spot), f"'{stimulus}' happens to the socket as a whole, without a peer")
    draft.now_s = at_s
    draft.actions.append(Do(words[0].spot, at_s, name, stimulus, peer))


def _time(draft: Draft, word: Word) -> int:
    match = re.fullmatch(r"(\+?)([0-9]{1,9})s?", word.text)
    if match is None:
        raise ScenarioError(str(word.spot), f"'{word.text}' is no time", "Whole seconds: 0s, 61s, +5s")
    at_s = int(match[2]) + (draft.now_s if match[1] else 0)
    if at_s < draft.now_s or at_s > MAX_TIME_S:
        raise ScenarioError(str(word.spot), f"time cannot go from {draft.now_s} s to {at_s} s", fix="Order the lines")
    return at_s


def _stimulus(draft: Draft, endpoint: str, word: Word) -> str:
    if word.text.partition(":")[0].casefold() == "wait":
        what = f"'{word.text}' is nothing that happens: time passes between the lines"
        raise ScenarioError(str(word.spot), what, fix=f"Give the next line its time: at +61s {endpoint} sendto")
    return table_of(draft, endpoint).stimulus(word.text, str(word.spot))


# -- what is expected -----------------------------------------------------------------------------------------------


def _answers(draft: Draft, words: list[Word]) -> None:
    last = draft.actions[-1] if draft.actions else None
    if not isinstance(last, Do) or last.answers or last.expects:
        what = "stands below no 'at' line" if not isinstance(last, Do) else "comes once, before what is expected"
        raise ScenarioError(str(words[0].spot), f"'answers' {what}", fix="Put it directly below an 'at' line")
    answers = tuple(_expected_layers(draft, last, words[1:], words[0], answers=True))
    for answer in answers:
        if answer.is_gap or answer.flags:
            raise ScenarioError(str(answer.spot), f"'{answer}' is no answer", fix="Write LAYER:VERDICT for each layer")
        if not is_taken(table_of(draft, last.endpoint), answer.layer, "permit"):  # every layer takes a permit
            raise ScenarioError(str(answer.spot), f"{last.endpoint} never comes to {answer.layer}", fix="Leave it out")
    if not answers:
        raise ScenarioError(str(words[0].spot), "no layers are named", fix="Name some, or leave the line out")
    draft.actions[-1] = replace(last, answers=answers)


def _expect(draft: Draft, words: list[Word]) -> None:
    if not draft.actions or not isinstance(draft.actions[-1], Do):
        raise ScenarioError(
            str(words[0].spot), "nothing has happened that this could be expected of", fix="Put it below an 'at' line"
        )
    if len(words) == 1:
        raise ScenarioError(str(words[0].spot), "nothing is expected", f"Known: {', '.join(EXPECTATIONS)}")
    last = draft.actions[-1]
    expectation = _expectation(draft, last, words[1], words[2:])
    draft.actions[-1] = replace(last, expects=(*last.expects, expectation))


def _expectation(draft: Draft, do: Do, kind: Word, rest: list[Word]) -> Expectation:
    spot = kind.spot
    if kind.text == "no" and rest[:1] and rest[0].text == "layer":
        takes(rest, 2, "expect no layer LAYER")
        layer = layer_of(draft, rest[1], rest[1].text)
        view = table_of(draft, do.endpoint).view
        if not any(row.layer == layer.stem and row.scope in view.scopes for row in RULES):
            what = f"no {view.name} ever comes to {layer.short_name}, so this says nothing"
            raise ScenarioError(str(rest[1].spot), what, fix="Name a layer that it could come to")
        return Expectation("no_layer", spot, at_layer=layer.fwpm_name)
    match kind.text:
        case "layers":
            layers = tuple(_expected_layers(draft, do, rest, kind))
            if layers and all(layer.is_gap for layer in layers):
                raise ScenarioError(str(rest[0].spot), "'...' alone holds of any layers", fix="Name some of them")
            return Expectation("layers", spot, layers=layers)
        case "outcome":
            return _expected_outcome(draft, kind, rest)
        case "application" | "remote":
            takes([kind, *rest], 2, f'expect {kind.text} "TEXT"')
            if not rest[0].text:
                raise ScenarioError(str(rest[0].spot), "an empty text is part of everything", fix="Name a part of it")
            return Expectation(kind.text, spot, text=rest[0].text)
        case "logged":
            return Expectation("logged", spot, events=_events(kind, rest))
        case "state":
            return Expectation("state", spot, text=_state(draft, do, kind, rest))
        case "refused":
            if rest:
                takes([kind, *rest], 2, 'expect refused "TEXT"')
                if not rest[0].text:
                    raise ScenarioError(str(rest[0].spot), "an empty text is part of everything", fix="Leave it out")
            return Expectation("refused", spot, text=rest[0].text if rest else "")
    raise unknown(kind, "expectation", EXPECTATIONS)


def _expected_layers(
    draft: Draft, do: Do, rest: list[Word], kind: Word, *, answers: bool = False
) -> Iterator[ExpectedLayer]:
    if not rest:
        fix = "Name some, or leave the line out" if answers else "Name some, or write: expect layers none"
        raise ScenarioError(str(kind.spot), "no layers are named", fix=fix)
    if [word.text for word in rest] == ["none"]:
        return
    flags_known = {flag for state_flags in table_of(draft, do.endpoint)._flags for flag in state_flags}
    for word in rest:
        text = word.text.rstrip(",")
        if text == "...":
            yield ExpectedLayer("", "", (), word.spot)
            continue
        stem, *flags = text.split("+")
        name, colon, verdict = stem.partition(":")
        layer = layer_of(draft, word, name)
        refused = answers and verdict.endswith("!")
        verdict = (verdict[:-1] if refused else verdict) if colon else "permit"
        if verdict not in VERDICTS:
            raise unknown(Word(verdict, word.spot), "verdict", VERDICTS)
        for flag in flags:
            if flag not in flags_known:
                raise unknown(Word(flag, word.spot), f"flag of a layer of {do.endpoint}", sorted(flags_known))
        yield ExpectedLayer(layer.fwpm_name, verdict, tuple(flags), word.spot, refused)


def _expected_outcome(draft: Draft, kind: Word, rest: list[Word]) -> Expectation:
    form = "expect outcome NAME [at LAYER]"
    if len(rest) not in (1, 3):
        takes([kind, *rest], 2 if len(rest) < 2 else 4, form)
    if rest[0].text not in (*OUTCOMES, "none"):
        raise unknown(rest[0], "outcome", (*OUTCOMES, "none"))
    at_layer = ""
    if len(rest) == 3:
        if rest[1].text != "at":
            raise ScenarioError(str(rest[1].spot), f"'{rest[1].text}' where 'at' belongs", fix=f"Write: {form}")
        at_layer = layer_of(draft, rest[2], rest[2].text).fwpm_name
    return Expectation("outcome", kind.spot, text=rest[0].text, at_layer=at_layer)


def _events(kind: Word, rest: list[Word]) -> tuple[int, ...]:
    words = [replace(word, text=word.text.rstrip(",")) for word in rest]
    if [word.text for word in words] == ["none"]:
        return ()
    if not words:
        raise ScenarioError(
            str(kind.spot), "no events are named", fix="Write for example: expect logged 5157, or: none"
        )
    for word in words:
        if not re.fullmatch(r"5[0-9]{3}", word.text):
            raise ScenarioError(str(word.spot), f"'{word.text}' is no Security event of WFP", "For example 5152, 5157")
    return tuple(int(word.text) for word in words)


def _state(draft: Draft, do: Do, kind: Word, rest: list[Word]) -> str:
    view = table_of(draft, do.endpoint).view
    if not rest:
        raise ScenarioError(str(kind.spot), "no state is named", fix="Write for example: expect state flow=OUT")
    for word in rest:
        name, equals, values = word.text.partition("=")
        if not equals or not values:
            raise ScenarioError(str(word.spot), f"'{word.text}' is not NAME=VALUE", fix="Write: flow=OUT")
        register, at, peer = name.partition("@")
        if register not in view.registers:
            raise unknown(Word(register, word.spot), f"register of {view.name}", view.registers)
        if at and register != "flow":
            raise ScenarioError(
                str(word.spot), f"{register} is the socket's, and no peer has it", fix=f"Write: {register}={values}"
            )
        if at and peer not in _peers(draft, do.endpoint):
            raise unknown(Word(peer, word.spot), "peer of the lines so far", _peers(draft, do.endpoint))
        for value in values.split("|"):
            if value not in REGISTERS[register]:
                raise unknown(Word(value, word.spot), f"value of {register}", REGISTERS[register])
    return " ".join(word.text for word in rest)


def _peers(draft: Draft, endpoint: str) -> list[str]:
    """Who an endpoint has had to do with so far."""
    done = [one for one in draft.actions if isinstance(one, Do) and one.endpoint == endpoint]
    return list(dict.fromkeys(one.peer or FIRST_PEER for one in done if STIMULI[one.stimulus].with_peer))


def _finished(draft: Draft) -> Scenario:
    if draft.config is None or not draft.endpoints:
        raise ScenarioError(str(draft.spot), f"scenario '{draft.title}' has no endpoint", fix="Add: socket s is sender")
    if not any(isinstance(action, Do) for action in draft.actions):
        raise ScenarioError(str(draft.spot), f"in scenario '{draft.title}' nothing happens", fix="Add: at 0s s bind")
    assert set(draft.endpoints.values()) <= set(ENDPOINTS)
    check_told(draft)
    return Scenario(
        draft.title, draft.spot, draft.config, tuple(draft.endpoints.items()), tuple(draft.actions), tuple(draft.told)
    )
