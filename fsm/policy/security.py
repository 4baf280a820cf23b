"""Who a security descriptor of a condition means: its access list read against a token, in three answers.

A condition on a user holds where the access list grants FWP_ACTRL_MATCH_FILTER to the token. What cannot be known of
the token (a group nobody told of, a capability of a store app) gives None, which is neither yes nor no.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from fsm.policy.model import Condition

MATCH_FILTER = 0x1  # FWP_ACTRL_MATCH_FILTER, which SDDL writes as CC
NO_PACKAGE = "S-1-0-0"  # the package of a program that is no store app
EVERYONE, ANONYMOUS, AUTHENTICATED, ANY_PACKAGE = "S-1-1-0", "S-1-5-7", "S-1-5-11", "S-1-15-2-1"
WELL_KNOWN: dict[str, str] = {
    "WD": EVERYONE, "AN": ANONYMOUS, "AU": AUTHENTICATED, "AC": ANY_PACKAGE, "SY": "S-1-5-18", "LS": "S-1-5-19",
    "NS": "S-1-5-20", "BA": "S-1-5-32-544", "BU": "S-1-5-32-545", "BG": "S-1-5-32-546", "IU": "S-1-5-4",
    "NU": "S-1-5-2", "SU": "S-1-5-6", "WR": "S-1-5-33", "RC": "S-1-5-12",
}  # fmt: skip
_PACKAGE = ("S-1-15-2-", "S-1-15-3-")  # packages and their capabilities
_ACE = re.compile(r"\(([^()]*)\)")


@dataclass(frozen=True, slots=True)
class Token:
    """Who asks. `sids` are all identities of the user (None: nothing is known); `package` as in `Circumstances`."""

    sids: frozenset[str] | None
    package: str | None


def grants(sddl: str, token: Token) -> bool | None:
    """Whether the descriptor lets this token match; None where it depends on what is not known of it.

    A store app needs both: the grant to its user, and one to its package or a capability.
    """
    entries = _entries(sddl)
    if entries is None:
        return None
    user = _walk(entries, token, packages=False)
    if token.package in ("", NO_PACKAGE) or user is False:
        return user
    package = _walk(entries, token, packages=True)
    if token.package is None:
        return user if package else None  # the same for a store app and for a program that is none
    if package is False:
        return False
    return True if user and package else None


def named_sids(conditions: Iterable[Condition]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The SIDs of users, and those of store apps, that conditions name; the well-known groups of all are neither."""
    users: dict[str, None] = {}
    apps: dict[str, None] = {}
    for condition in conditions:
        data = condition.value.data
        if condition.value.type == "SID" and isinstance(data, str):
            apps[data.upper()] = None  # of ALE_PACKAGE_ID
        elif condition.value.type == "SECURITY_DESCRIPTOR" and isinstance(data, str):
            for _, sid in _entries(data) or ():
                if sid.startswith("S-1-15-2-") and sid != ANY_PACKAGE:
                    apps[sid] = None
                elif not sid.startswith(_PACKAGE) and sid not in (EVERYONE, AUTHENTICATED):
                    users[sid] = None
    apps.pop(NO_PACKAGE, None)
    return tuple(users), tuple(apps)


@lru_cache(maxsize=4096)
def _entries(sddl: str) -> tuple[tuple[bool, str], ...] | None:
    """(allows, SID) of each entry that is about matching; None where the text is not understood."""
    start = sddl.find("D:")
    if start < 0:
        return None
    found = []
    for text in _ACE.findall(sddl[start:].split("S:", 1)[0] if "S:(" in sddl[start:] else sddl[start:]):
        parts = text.split(";")
        if len(parts) != 6 or parts[0] not in ("A", "D"):
            return None
        rights = _rights(parts[2])
        if rights is None:
            return None
        if rights:
            found.append((parts[0] == "A", WELL_KNOWN.get(parts[5].strip(), parts[5].strip().upper())))
    return tuple(found)


def _rights(text: str) -> bool | None:
    """Whether the rights of an entry hold the one to match."""
    if re.fullmatch(r"0x[0-9a-fA-F]+", text):
        return bool(int(text, 16) & MATCH_FILTER)
    codes = [text[i : i + 2] for i in range(0, len(text), 2)]
    if any(len(code) != 2 for code in codes):
        return None
    return "CC" in codes or "GA" in codes


def _walk(entries: tuple[tuple[bool, str], ...], token: Token, *, packages: bool) -> bool | None:
    possible: set[bool] = set()
    for allows, sid in entries:
        if packages != sid.startswith(_PACKAGE):
            continue
        member = _member(sid, token)
        if member is True:
            possible.add(allows)
            break
        if member is None:
            possible.add(allows)
    else:
        possible.add(False)
    return possible.pop() if len(possible) == 1 else None


def _member(sid: str, token: Token) -> bool | None:
    if sid == ANY_PACKAGE:
        return True  # asked of store apps only
    if sid.startswith(_PACKAGE):
        if token.package is not None and sid.startswith("S-1-15-2-"):
            return sid == token.package.upper()
        return None
    if token.sids is None:
        return True if sid == EVERYONE else None
    if sid in token.sids:
        return True
    # Every token has these two, except the anonymous one.
    return sid in (EVERYONE, AUTHENTICATED) and ANONYMOUS not in token.sids
