"""Claims that fail, each with its whole message: the page `diagrams/pages/failures.md`.

Run `python tests/failure_examples.py` to write the page anew; a test compares it whole.
"""

# ruff: noqa: E501 (one example, one line: the code is shown as it stands)
from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fsm import choices, session
from fsm.claims import (
    Finding,
    accepts,
    always_after,
    always_before,
    endpoint,
    equivalent,
    matches,
    never,
    observation,
    reaches,
)
from fsm.errors import FsmError
from fsm.policy.model import Policy
from fsm.policy.read import read_policy
from fsm.traces.observation import Trace

DATA = Path(__file__).resolve().parent / "data"
PAGE = Path(__file__).resolve().parents[1] / "diagrams" / "pages" / "failures.md"
COMMAND = "python tests/failure_examples.py"


@dataclass(frozen=True)
class Example:
    """One claim that fails: why, in the words of somebody who does not know the project, and the Python."""

    cause: str
    code: str

    @property
    def kind(self) -> str:
        return self.code.partition("(")[0]


def _e(cause: str, code: str) -> Example:
    return Example(cause, code)


@cache
def policy(name: str) -> Policy:
    """A policy of the examples; those of the page lie in two folders."""
    return read_policy(
        next(DATA / folder / name for folder in ("readme", "policies") if (DATA / folder / name).exists())
    )


NAMES = {
    "read_policy": policy,
    "accepts": accepts, "always_after": always_after, "always_before": always_before, "endpoint": endpoint,
    "equivalent": equivalent, "matches": matches, "never": never, "observation": observation, "reaches": reaches,
    "Trace": Trace, "configure": choices.configure, "make_session": session.make_session,
}  # fmt: skip

EXAMPLES: tuple[Example, ...] = (
    # -- reaches
    _e("No filter blocks, so a blocked connect never happens.", 'reaches("sender", "AUTH_CONNECT:block")'),
    _e("Blocking the bind leaves no way to any data.", 'reaches(endpoint("sender", block=["RESOURCE_ASSIGNMENT"]), "DATAGRAM_DATA")'),
    _e("Closing a UDP socket is seen by no layer, unless the other reading of the documents is assumed.", 'reaches("sender", "ENDPOINT_CLOSURE")'),
    _e("A layer of TCP streams is not on the way of a datagram.", 'reaches("receiver", "STREAM_V4")'),
    _e("Nobody asks a port without a socket for permission to connect.", 'reaches("dropped_port", "AUTH_CONNECT")'),
    _e("A layer that only reports takes no pend.", 'reaches(endpoint("sender", any_verdict=True), "FLOW_ESTABLISHED:pend")'),
    _e("The flag is never set at this layer.", 'reaches(endpoint("sender", any_verdict=True), "DATAGRAM_DATA+IS_REAUTHORIZE")'),
    _e("The two registers never have these values together.", 'reaches("sender", "socket=CLOSED flow=OUT")'),
    _e("What should happen was left out of what can happen.", 'reaches(endpoint("sender", stimuli=["bind", "close"]), "AUTH_CONNECT")'),
    _e("A misspelt layer.", 'reaches("sender", "AUTH_CONECT")'),
    _e("A misspelt verdict.", 'reaches("sender", "AUTH_CONNECT:blocked")'),
    _e("A misspelt flag.", 'reaches("sender", "AUTH_CONNECT+IS_REAUTHORISE")'),
    _e("A misspelt register.", 'reaches("sender", "flwo=OUT")'),
    _e("A value that the register does not have.", 'reaches("sender", "flow=OUTBOUND")'),
    _e("A word that is a stimulus, and in the event log a layer.", 'reaches("sender", "connect")'),
    _e("An endpoint's name where there is one endpoint only.", 'reaches("sender", "AUTH_CONNECT@sender")'),
    _e("In this session nobody sends to an open socket, so nothing is accepted or refused.", 'reaches(make_session(["sender", "dropped_port"]), "AUTH_RECV_ACCEPT:block")'),
    _e("The search was stopped before anything could be known.", 'reaches(make_session(), "sender=CLOSED receiver=CLOSED network=datagram", limit_states=20)'),
    _e("The recorded trace does not show the layer.", 'reaches(Trace((observation("AUTH_CONNECT", "permit"),), "drv.log"), "DATAGRAM_DATA")'),
    _e("The log does not tell verdicts.", 'reaches(Trace((observation("AUTH_CONNECT"),), "drv.log"), "AUTH_CONNECT:block")'),
    _e("A flow that is authorized again cannot be pended.", 'reaches(endpoint("sender", verdicts={"AUTH_CONNECT": "pend"}), "AUTH_CONNECT:pend+IS_REAUTHORIZE")'),
    _e("A filter stops what was to go out, and the policy has none that lets it.", 'reaches(endpoint("sender", policy=read_policy("kill-switch.toml"), from_="192.0.2.1:50000", to="198.51.100.7:4500"), "AUTH_CONNECT:permit")'),
    _e("Whether the tunnel's filter matches depends on the program, which nobody has told.", 'reaches(endpoint("sender", policy=read_policy("example.toml"), from_="192.0.2.1:50000", to="198.51.100.7:443"), "outcome=sent")'),
    _e("The filters block at a layer that takes no block, and the documents do not say what comes of it.", 'reaches(endpoint("sender", policy=read_policy("established.toml"), from_="192.0.2.1:50000", to="198.51.100.7:443"), "outcome=blocked")'),
    _e("A policy is asked about a datagram that nobody has described.", 'reaches(endpoint("sender", policy=read_policy("kill-switch.toml")), "outcome=sent")'),
    _e("A policy is asked about one remote end, and this happens with another.", 'reaches(endpoint("sender", policy=read_policy("kill-switch.toml"), from_="192.0.2.1:50000", to="198.51.100.7:4500"), "(sendto_group)")'),
    _e("A host that lets nothing in gets no query, so the sender gets no answer.", 'reaches(make_session(policies={"sender": read_policy("kill-switch.toml"), "receiver": read_policy("no-inbound.toml")}, at={"sender": "192.0.2.1:50000", "receiver": "192.0.2.53:53"}), "outcome=delivered@sender")'),
    _e("A policy of a session, and nobody has said where its endpoints are.", 'reaches(make_session(["sender", "receiver"], policies={"sender": read_policy("kill-switch.toml")}, at={"sender": "192.0.2.1:50000"}), "outcome=sent@sender")'),
    _e("A fixed redirect at a layer that never redirects.", 'reaches(endpoint("sender", verdicts={"DATAGRAM_DATA": "redirect"}), "OUTBOUND_IPPACKET:redirect")'),
    _e("Sessions permit everywhere unless they are told otherwise.", 'reaches(make_session(), "AUTH_RECV_ACCEPT:block@receiver")'),
    _e("The number of a Security event is not the number of a layer.", 'reaches("sender", "5157")'),
    _e("A number that is neither a layer's nor an event's.", 'reaches("sender", "777")'),
    _e("A word that is like no other.", 'reaches("sender", "firewall")'),
    # -- never
    _e("Inbound traffic makes a flow, and its answers need no outbound authorization.", 'never(endpoint("sender", block=["AUTH_CONNECT"]), "outcome=sent")'),
    _e("Filters that block at the outbound layer alone let an inbound flow's answers out.", 'never(endpoint("sender", policy=read_policy("kill-switch.toml"), from_="192.0.2.1:50000", to="198.51.100.7:4500"), "outcome=sent")'),
    _e("A filter of the policy lets it out.", 'never(endpoint("sender", policy=read_policy("kill-switch.toml"), from_="192.0.2.1:50000", to="192.0.2.53:53", stimuli=["bind", "sendto"]), "FLOW_ESTABLISHED")'),
    _e("A datagram comes in on a socket that only wanted to send.", 'never("sender", "AUTH_RECV_ACCEPT")'),
    _e("With every verdict allowed, a bind can be refused.", 'never(endpoint("sender", any_verdict=True), "RESOURCE_ASSIGNMENT_DISCARD")'),
    _e("A stimulus that nothing prevents.", 'never("receiver", "(policy_change)")'),
    _e("A state that is easily reached.", 'never("receiver", "flow=IN_STALE")'),
    _e("A layer of the other IP version: nothing could make this fail.", 'never("sender", "ALE_AUTH_CONNECT_V6")'),
    _e("A stimulus that does not happen to this endpoint.", 'never("dropped_port", "(bind)")'),
    _e("Somebody closes before the datagram arrives.", 'never(make_session(), "receiver=BOUND/IN sender=CLOSED")'),
    _e("The trace shows it, and where.", 'never(Trace((observation("RESOURCE_ASSIGNMENT", "permit"), observation("AUTH_CONNECT", "block", source="drv.log, line 7")), "drv.log"), "AUTH_CONNECT:block")'),
    _e("Something that depends on the whole walk.", 'never("sender", "fired=AUTH_CONNECT")'),
    _e("The number of a Security event is not the number of a layer.", 'never("sender", "5157")'),
    _e("An object that claims know nothing of.", 'never(observation("AUTH_CONNECT"), "AUTH_CONNECT")'),
    _e("A socket of the session is bound without its peer.", 'never(make_session(), "(bind@sender)")'),
    # -- always_before
    _e("An inbound datagram is data without any connect.", 'always_before("sender", "AUTH_CONNECT", "DATAGRAM_DATA")'),
    _e("What should come later never comes.", 'always_before("sender", "RESOURCE_ASSIGNMENT", "AUTH_CONNECT:block")'),
    _e("What should come later is at no layer of this endpoint.", 'always_before("dropped_port", "INBOUND_TRANSPORT", "DATAGRAM_DATA")'),
    _e("A connect and a sendto bind by themselves.", 'always_before("sender", "(bind)", "RESOURCE_ASSIGNMENT")'),
    _e("Both are one and the same event.", 'always_before("sender", "AUTH_CONNECT", "AUTH_CONNECT:permit")'),
    _e("A misspelt stimulus.", 'always_before("sender", "(bnd)", "DATAGRAM_DATA")'),
    _e("The search was stopped before it could be sure.", 'always_before(make_session(), "DATAGRAM_DATA@sender", "INBOUND_ICMP_ERROR@sender", limit_states=6)'),
    # -- always_after
    _e("Without a block, authorization is not followed by a discard.", 'always_after(endpoint("sender", any_verdict=True), "AUTH_CONNECT", "AUTH_CONNECT_DISCARD")'),
    _e("After a policy change the next datagram may belong to a new flow.", 'always_after("sender", "(policy_change)", "AUTH_CONNECT+IS_REAUTHORIZE", before="DATAGRAM_DATA")'),
    _e("Nobody has to send after a bind.", 'always_after("sender", "(bind)", "AUTH_CONNECT")'),
    _e("What it should come before never happens, so it would never be due.", 'always_after("sender", "(sendto)", "AUTH_CONNECT", before="STREAM_V4")'),
    _e("What it should come before does not happen afterwards.", 'always_after("sender", "(close)", "RESOURCE_ASSIGNMENT", before="AUTH_CONNECT")'),
    _e("The event that should be followed never happens.", 'always_after("receiver", "AUTH_RECV_ACCEPT:block", "AUTH_RECV_ACCEPT_DISCARD")'),
    _e("A trace does not show when an endpoint is idle.", 'always_after(Trace((observation("AUTH_CONNECT", "permit"),)), "AUTH_CONNECT", "DATAGRAM_DATA")'),
    _e("An absorbed datagram shows no discard layer.", 'always_after(endpoint("receiver", verdicts={"AUTH_RECV_ACCEPT": "absorb"}), "AUTH_RECV_ACCEPT", "AUTH_RECV_ACCEPT_DISCARD")'),
    # -- accepts
    _e("Between bind and connect authorization comes the redirect layer.", 'accepts(endpoint("sender", stimuli=["bind", "sendto"]), "BIND_REDIRECT, RESOURCE_ASSIGNMENT, AUTH_CONNECT")'),
    _e("A live flow is not authorized again, so the second datagram goes straight to the data layer.", 'accepts(endpoint("sender", stimuli=["bind", "sendto"]), "BIND_REDIRECT RESOURCE_ASSIGNMENT CONNECT_REDIRECT AUTH_CONNECT FLOW_ESTABLISHED DATAGRAM_DATA OUTBOUND_TRANSPORT OUTBOUND_IPPACKET AUTH_CONNECT")'),
    _e("The layer comes, but nothing blocks there.", 'accepts("sender", "BIND_REDIRECT RESOURCE_ASSIGNMENT:block")'),
    _e("The layer takes no such verdict at all.", 'accepts(endpoint("sender", any_verdict=True), "BIND_REDIRECT RESOURCE_ASSIGNMENT:redirect")'),
    _e("A first authorization has no reauthorize flag.", 'accepts("receiver", "BIND_REDIRECT RESOURCE_ASSIGNMENT INBOUND_IPPACKET INBOUND_TRANSPORT AUTH_RECV_ACCEPT+IS_REAUTHORIZE FLOW_ESTABLISHED")'),
    _e("A socket is bound once.", 'accepts("sender", "(bind) BIND_REDIRECT RESOURCE_ASSIGNMENT (bind)")'),
    _e("Layers below come in the other order on the way in.", 'accepts("receiver", "BIND_REDIRECT RESOURCE_ASSIGNMENT INBOUND_TRANSPORT")'),
    _e("A layer that this endpoint does not have.", 'accepts("dropped_port", "INBOUND_IPPACKET INBOUND_TRANSPORT AUTH_RECV_ACCEPT")'),
    _e("After a block nothing of the datagram is left.", 'accepts(endpoint("sender", block=["AUTH_CONNECT"], stimuli=["bind", "sendto"]), "BIND_REDIRECT RESOURCE_ASSIGNMENT CONNECT_REDIRECT AUTH_CONNECT:block FLOW_ESTABLISHED")'),
    _e("A recorded trace in which an entry is missing.", 'accepts("receiver", Trace((observation("BIND_REDIRECT", "permit"), observation("RESOURCE_ASSIGNMENT", "permit"), observation("INBOUND_IPPACKET", "permit"), observation("AUTH_RECV_ACCEPT", "permit")), "drv.log"), only=["BIND_REDIRECT", "RESOURCE_ASSIGNMENT", "INBOUND_IPPACKET", "INBOUND_TRANSPORT", "AUTH_RECV_ACCEPT"])'),
    _e("A flow was authorized twice, and nobody has said that it was idle in between.", 'accepts("sender", Trace((observation("AUTH_CONNECT", "permit", remote="192.0.2.7:53"), observation("FLOW_ESTABLISHED", "permit", remote="192.0.2.7:53")) * 2, "drv.log"))'),
    _e("The log shows a permit, and the layer is said to block.", 'accepts(endpoint("sender", block=["AUTH_CONNECT"]), Trace((observation("AUTH_CONNECT", "permit"), observation("FLOW_ESTABLISHED", "permit")), "drv.log"))'),
    _e("A redirected bind was called again on one socket, and not on the other.", 'accepts("sender", Trace((observation("BIND_REDIRECT", "pend", endpoint="a"), observation("RESOURCE_ASSIGNMENT", "permit", endpoint="a"), observation("BIND_REDIRECT", "pend", endpoint="b"), observation("BIND_REDIRECT", "permit", endpoint="b", flags=("IS_REAUTHORIZE",))), "drv.log"))'),
    _e("Nothing in the log could have been wrong.", 'accepts("sender", Trace((observation("OUTBOUND_TRANSPORT", "permit"), observation("OUTBOUND_TRANSPORT", "permit")), "drv.log"))'),
    _e("The log is about layers that UDP endpoints do not have.", 'accepts("sender", Trace((observation("IPFORWARD", "permit"),), "drv.log"))'),
    _e("A log that is no log of UDP: the search for the fewest edits is given up.", 'accepts("sender", Trace((observation("FLOW_ESTABLISHED"), observation("BIND_REDIRECT"), observation("AUTH_RECV_ACCEPT")) * 5, "drv.log"), limit=3, never=["port_reopened"])'),
    _e("A line of the log was not understood.", 'accepts("sender", Trace((observation("AUTH_CONNECT", "permit"), observation("FLOW_ESTABLISHED", "permit")), "drv.log", 3, (("drv.log, line 2", "no verdict named permt"),)))'),
    _e("A recorded sequence that this policy does not let come about.", 'accepts(endpoint("sender", policy=read_policy("kill-switch.toml"), from_="192.0.2.1:50000", to="198.51.100.7:4500"), "BIND_REDIRECT RESOURCE_ASSIGNMENT CONNECT_REDIRECT AUTH_CONNECT:permit")'),
    _e("In a session somebody has to bind first.", 'accepts(make_session(), "AUTH_CONNECT@sender")'),
    _e("An endpoint that is not in the session.", 'accepts(make_session(), "AUTH_CONNECT@client")'),
    _e("An empty trace.", 'accepts("sender", [])'),
    _e("A trace in which another layer has a misspelt name.", 'accepts("sender", ["BIND_REDIRECT", "RESOURCE_ASIGNMENT"])'),
    _e("A verdict that no rule of the layer has.", 'accepts("sender", "AUTH_CONNECT:veto")'),
    _e("In a session a socket is bound once.", 'accepts(make_session(), "(bind@sender) BIND_REDIRECT RESOURCE_ASSIGNMENT (bind@sender)")'),
    # -- matches
    _e("The pattern leaves out a layer that comes in between.", 'matches("sender", "... AUTH_CONNECT FLOW_ESTABLISHED DATAGRAM_DATA OUTBOUND_IPPACKET")'),
    _e("A flow that has ended by itself took 60 seconds to do so.", 'matches(endpoint("receiver", stimuli=["bind", "datagram", "idle_timeout"]), "... (FLOW_ESTABLISHED ... FLOW_ESTABLISHED) within 59s")'),
    _e("A socket can be closed before it is bound.", 'matches("sender", "BIND_REDIRECT RESOURCE_ASSIGNMENT ...", every=True)'),
    _e("One run does what the pattern forbids.", 'matches("receiver", "(!INBOUND_TRANSPORT)*", every=True)'),
    _e("The pattern is finished, and the run goes on.", 'matches(endpoint("sender", stimuli=["bind", "sendto"]), "BIND_REDIRECT RESOURCE_ASSIGNMENT CONNECT_REDIRECT", every=True)'),
    _e("Everything that is possible is forbidden at once.", 'matches("dropped_port", "!INBOUND_IPPACKET")'),
    _e("A misspelt layer in a pattern, with its column.", 'matches("sender", "... AUTH_CONNECT FLOW_ESTABLISHD")'),
    _e("A parenthesis that is not closed.", 'matches("sender", "(AUTH_CONNECT | DATAGRAM_DATA ...")'),
    _e("A stimulus without its parentheses.", 'matches("sender", "bind AUTH_CONNECT")'),
    _e("A repetition of nothing.", 'matches("sender", "* AUTH_CONNECT")'),
    _e("A repetition whose bounds are swapped.", 'matches("sender", "AUTH_CONNECT{5,2}")'),
    _e("A time bound on one event.", 'matches("sender", "... AUTH_CONNECT within 4s")'),
    _e("Anything but a whole sequence.", 'matches("sender", "... !(AUTH_CONNECT DATAGRAM_DATA)")'),
    _e("Time in a session, which counts none.", 'matches(make_session(), "... (AUTH_CONNECT ... DATAGRAM_DATA) within 4s")'),
    _e("The flags never come together at this layer.", 'matches("sender", "... AUTH_CONNECT+IS_REAUTHORIZE+IS_WILDCARD_BIND")'),
    _e("No filter blocks, so a blocked connect never happens.", 'matches("sender", "... AUTH_CONNECT:block ...")'),
    _e("Sessions permit everywhere unless they are told otherwise.", 'matches(make_session(), "... AUTH_RECV_ACCEPT:block@receiver")'),
    _e("A block on the way keeps everything after it from happening.", 'matches(endpoint("sender", block=["AUTH_CONNECT"], stimuli=["bind", "sendto"]), "... FLOW_ESTABLISHED")'),
    _e("A layer of TCP streams is not on the way of a datagram.", 'matches("sender", "... STREAM_V4")'),
    _e("The second half of a pattern never comes.", 'matches("sender", "... AUTH_CONNECT ... STREAM_V4")'),
    _e("In a session a socket is bound once.", 'matches(make_session(), "... (bind@sender) ... (bind@sender)")'),
    # -- equivalent
    _e("A block changes what can be seen.", 'equivalent(endpoint("sender", stimuli=["bind", "sendto"]), endpoint("sender", stimuli=["bind", "sendto"], block=["AUTH_CONNECT"]))'),
    _e("Sender and receiver differ in what can happen to them.", 'equivalent("sender", "receiver", observing=["stimulus"])'),
    _e("The flags differ between two readings of the documents.", 'equivalent(endpoint("sender", configure(assume={"wildcard_bind": "any_address"})), "sender", observing=["layer", "flags"])'),
    _e("IPv4 and IPv6 show layers of other names.", 'equivalent("receiver", endpoint("receiver", configure(ip=6)))'),
    _e("The outcome differs where the layers are the same.", 'equivalent(endpoint("receiver", verdicts={"AUTH_RECV_ACCEPT": "block"}), endpoint("receiver", verdicts={"AUTH_RECV_ACCEPT": "absorb"}), observing=["outcome"])'),
    _e("Two policies differ in what they do to an arriving datagram.", 'equivalent(endpoint("receiver", policy=read_policy("kill-switch.toml"), from_="198.51.100.7:4500", to="192.0.2.1:50000"), endpoint("receiver", policy=read_policy("example.toml"), from_="198.51.100.7:4500", to="192.0.2.1:50000"))'),
    _e("Neither shows anything of what is observed.", 'equivalent("sender", endpoint("sender", block=["AUTH_CONNECT"]), observing=["endpoint"])'),
    _e("Nothing by this name can be observed.", 'equivalent("sender", "receiver", observing=["layers"])'),
    _e("The verdicts are given in two ways at once.", 'equivalent(endpoint("sender", any_verdict=True, block=["AUTH_CONNECT"]), "sender")'),
)  # fmt: skip


@cache
def message(example: Example) -> str:
    """The whole message of a failing example; a mistake in what was given is shown as the command line shows it."""
    try:
        finding = eval(example.code, {"__builtins__": {}, **NAMES})
    except FsmError as error:
        return f"error: {error}"
    assert isinstance(finding, Finding) and finding.verdict != "holds", f"{example.code} does not fail"
    return finding.message


INTRODUCTION = """# Claims that fail, and what they say

A claim is a sentence about what can happen to a UDP datagram inside the Windows Filtering Platform: that a filtering
layer can be reached, that something never happens, that a recorded sequence of layers is one that Windows can
produce. A claim is decided on the whole model, not on samples. When it does not hold, the message says so in this
order, leaving out what there is nothing to say about:

- `refuted` (or `unknown`, where a limit was hit or a question is open) and the claim itself;
- `possible so far`: the longest beginning of what was given that can happen, and the state it leads to; of a pattern
  how many of the events that it needs have come, on the run that comes nearest to the next one;
- `given next`: what was given then; `why`: the rule of the model that leads elsewhere, the condition of the rule
  that is not met, and in parentheses how well the rule is known (documented, observed, inferred) and its sources
  (`wfp-udp sources` lists them);
- `possible there`: what can come instead;
- `shortest way` to what was wanted; `shortest counterexample`: the shortest run in which the claim is wrong;
- `filters`: with a policy, which filter decided at each layer of that run;
- `searched`: how much was looked at;
- `token`: a command that steps through the run shown last: the shortest way or counterexample where there is one,
  else what is possible so far (in a session to the end of the move in which it stops); `draw`: the commands that draw
  it.

Lines are folded at 110 columns, commands are not.

Of all runs that answer a claim the message shows one in which nothing unusual happens, if there is one: it has the
fewest of what only callouts and rare changes of the machine bring (injections, completions, most reauthorizations),
then the fewest uncommon things (group datagrams, ICMP errors, timeouts, a policy change), then the fewest events.

With a policy each layer answers as its filters arbitrate for one datagram. Where that depends on what nobody has told
(the program, say), a claim that rests on it is `unknown`, and `why` asks the question. The policies of the examples
are [kill-switch.toml](../../tests/data/readme/kill-switch.toml),
[no-inbound.toml](../../tests/data/readme/no-inbound.toml),
[established.toml](../../tests/data/readme/established.toml) and
[example.toml](../../tests/data/policies/example.toml).

In a run, each line is something that happens to the endpoint, in parentheses (`(bind)`, `(sendto)`), and then the
layers that see it with their verdicts, in order. `sender` is a socket that sends first, `receiver` one that is sent
to first, `dropped_port` a port that no socket owns. `then` is the state after the run: of the socket and of its flow
(`BOUND/OUT`), and in the middle of something where it stands. A line that begins with `error:` is no verdict: the claim
itself has a mistake, and a test that makes it does not pass.
"""

TITLES = {
    "reaches": "Something can happen (`reaches`)",
    "never": "Something never happens (`never`)",
    "always_before": "One thing comes before another (`always_before`)",
    "always_after": "One thing is followed by another (`always_after`)",
    "accepts": "A given sequence is possible (`accepts`)",
    "matches": "Some run, or every run, is as a pattern says (`matches`)",
    "equivalent": "Two configurations show the same (`equivalent`)",
}


def page() -> str:
    """The whole page."""
    lines = [INTRODUCTION]
    lines.append(f"{len(EXAMPLES)} examples; this page is written by `{COMMAND}`.\n")
    number = 0
    for kind, title in TITLES.items():
        lines.append(f"## {title}\n")
        for example in EXAMPLES:
            if example.kind == kind:
                number += 1
                lines.append(f"### {number}. {example.cause}\n\n```python\n{_wrapped(example.code)}\n```\n")
                lines.append(f"```text\n{message(example)}\n```\n")
    return "\n".join(lines)


def _wrapped(code: str) -> str:
    """Long code, a line for each argument of the claim."""
    if len(code) <= 110:
        return code
    found = re.match(r"(\w+)\((.*)\)$", code, re.DOTALL)
    assert found
    parts, depth, quoted, begin = [], 0, False, 0
    for at, character in enumerate(found[2]):
        quoted ^= character == '"'
        depth += 0 if quoted else (character in "([{") - (character in ")]}")
        if character == "," and not depth and not quoted:
            parts.append(found[2][begin:at].strip())
            begin = at + 1
    parts.append(found[2][begin:].strip())
    return f"{found[1]}(\n" + "".join(f"    {part},\n" for part in parts) + ")"


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
    print(f"{PAGE}: {len(EXAMPLES)} examples")
