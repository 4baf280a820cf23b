"""The fingerprint of the model: equal where every walk goes the same way, whatever citations and texts say."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache

from fsm.choices import CHOICES
from fsm.endpoint import GROUP_LIFETIME_S, UNICAST_LIFETIME_S
from fsm.names import EVIDENCE, REGISTERS, VERDICTS, WINDOWS
from fsm.rules import FLAG_WINDOWS, RULES, SETTING_FLAGS, VERDICT_REFUSALS
from fsm.stimuli import STIMULI, VIEWS

DIGITS = 8


@lru_cache(maxsize=1)
def fingerprint() -> str:
    """8 hex digits (of SHA-256) over everything that decides which way a walk goes.

    That is the behaviour columns of all rows, the verdicts that layers refuse, the classify flags, the stimuli, the
    registers, the endpoints, the choices with what each evidence setting takes, and the two lifetimes. Citations,
    notes and texts are no part of it: they can be corrected without making share tokens invalid.
    """
    text = json.dumps(behaviour(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:DIGITS]


def behaviour() -> dict[str, object]:
    """What the fingerprint is made of, as values that JSON knows."""
    return {
        "rows": [
            (
                row.scope, row.at, row.event, row.next, row.layer, row.when, row.sets, row.ip, row.since, row.until,
                row.choices, row.ops, row.flags,
            )
            for row in RULES
        ],
        "refusals": [(r.layers, r.verdict, r.flag) for r in VERDICT_REFUSALS],
        "setting_flags": [(s.choice, s.option, s.flag, s.layers, s.since) for s in SETTING_FLAGS],
        "flag_windows": FLAG_WINDOWS,
        "stimuli": [(s.name, s.scopes, s.attributes, s.per_flow, s.with_peer) for s in STIMULI.values()],
        "views": [(v.name, v.scopes, v.registers, v.stimuli) for v in VIEWS.values()],
        "registers": list(REGISTERS.items()),
        "verdicts": VERDICTS,
        "windows": WINDOWS,
        "choices": [
            (c.name, c.option_names(), [c.default(evidence) for evidence in EVIDENCE]) for c in CHOICES.values()
        ],
        "lifetimes_s": (UNICAST_LIFETIME_S, GROUP_LIFETIME_S),
    }  # fmt: skip
