"""Policy files: TOML to a `Policy`. All mistakes of a file are told at once, each with its line.

tomllib reads the values; where something stands is looked up only when there is something to complain about.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from typing import Any

from fsm.errors import FsmError, UnknownName
from fsm.logs.fields import clean

from .checks import condition_findings, filter_findings, listed_fields
from .errors import PolicyError
from .model import Callout, Condition, Filter, NotUnderstood, Policy, Weight
from .schema import ACTION_WORDS, FILTER_FLAGS, OPTION_WORDS, OPTIONS, TOP
from .toml_conditions import LONG_KEYS, read_condition, read_when
from .toml_objects import Objects
from .toml_shapes import Path, mending, number_of, shown
from .well_known import NAMES, spelled_key

DEFAULT_SUBLAYER = "FWPM_SUBLAYER_UNIVERSAL"  # of filters that name none (SLI)


def read_toml(text: str, name: str) -> Policy:
    """The policy of a policy file.

    Raises
    ------
    PolicyErrors : mistakes in it, all of them, in the order of their lines.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", str(error), re.DOTALL)
        what = clean(found[1] if found else str(error))
        line = int(found[2]) if found and found[2] else text.count("\n") + 1
        raise PolicyError(f"{name}, line {line}", f"this is no TOML: {what}", "", mending(what)) from None
    except RecursionError:
        raise PolicyError(name, "tables or lists are nested too deep") from None
    reader = _Reader(text, name)
    policy = reader.policy(document)
    reader.finish()
    return policy


class _Reader(Objects):
    def __init__(self, text: str, name: str) -> None:
        super().__init__(text, name)
        self._dump = name
        self._callouts: dict[str, list[Callout]] = {}

    # ---- the whole

    def policy(self, given: dict[str, Any]) -> Policy:
        document = self.checked(given, TOP, ())
        self._dump = document.get("source", self._name)
        self.accepted = frozenset(document.get("accept_unknown", ()))
        providers, sublayers, callouts = self.providers(document), self.sublayers(document), self.callouts(document)
        for callout in callouts:
            for known in dict.fromkeys((callout.key, callout.name, callout.key.rpartition("/")[0] or callout.key)):
                self._callouts.setdefault(known, []).append(callout)
        contexts, layers = self.contexts(document), self.layers(document)
        listed = listed_fields(Policy(layers=layers))
        filters: list[Filter] = []
        keys: dict[str, Path] = {}
        for base, table in self.tables(document, "filter"):
            for one in self._filters(base, table, listed):
                if one.key in keys and "read_from" not in table:  # a dump may hold what it likes
                    before = self.line(keys[one.key])
                    self.complain(base, f"a second filter with the key {one.key!r} (line {before})", "",
                                   "Give each filter a key of its own")  # fmt: skip
                keys.setdefault(one.key, base)
                filters.append(one)
        return Policy(
            filters=tuple(filters),
            sublayers=sublayers,
            callouts=callouts,
            providers=providers,
            options=self._options(document.get("options", {})),
            source=document.get("source", self._name),
            taken_at=document.get("taken_at", ""),
            not_understood=tuple(
                NotUnderstood(table.get("where", ""), table.get("what", ""))
                for _, table in self.tables(document, "not_understood")
            ),
            contexts=contexts,
            layers=layers,
            set_aside=self._set_aside(document.get("set_aside", {})),
        )

    def _set_aside(self, table: dict[str, Any]) -> tuple[tuple[str, int], ...]:
        found = []
        for key, value in table.items():
            number = number_of(value)
            if number is None:
                self.complain(("set_aside", key), f"{key} = {shown(value)} is not a number")
            else:
                found.append((key, number))
        return tuple(found)

    def _options(self, given: dict[str, Any]) -> tuple[tuple[str, str], ...]:
        table = self.checked(given, OPTIONS, ("options",))
        found = []
        for key, value in table.items():
            words = OPTION_WORDS.get(key)
            if words and value not in words:
                error = UnknownName.of("", key, value, words)
                self.complain(("options", key), error.what, error.nearest)
            found.append((key, ("on" if value else "off") if isinstance(value, bool) else str(value)))
        return tuple(found)

    # ---- filters

    def _filters(self, base: Path, table: dict[str, Any], listed: dict[str, frozenset[str]]) -> Iterable[Filter]:
        number = base[1]
        assert isinstance(number, int)
        key = table.get("key", f"filter-{number + 1}")
        layers = self.layers_of(table.get("layer"), base, "filter")
        versions = {layer.rpartition("_V")[2][:1] for layer in layers if "_V" in layer}
        flags = (*table.get("flags", ()), *(("CLEAR_ACTION_RIGHT",) if table.get("hard") else ()))
        self._check_flags(table, base)
        weight = self._weight(table.get("weight", "auto"), (*base, "weight"))
        effective = table.get("effective_weight")
        if effective is not None and effective >= 1 << 64:
            self.complain((*base, "effective_weight"), f"effective_weight = {effective}", "Allowed: 0 to 2**64 - 1")
        source = table.get("read_from")
        if source is not None and re.fullmatch(r"line [0-9]+", source):
            source = f"{self._dump}, {source}"
        for layer in layers:
            action, callout = self._action(table.get("action"), layer, base, dumped=source is not None)
            conditions = self._conditions(base, table, layer, twins=len(versions) > 1)
            one = Filter(
                key=spelled_key(key if len(layers) == 1 else f"{key}/{layer.removeprefix('FWPM_LAYER_')}"),
                name=table.get("name", key),
                layer=layer,
                sublayer=self.referred("sublayer", table.get("sublayer", DEFAULT_SUBLAYER), (*base, "sublayer")),
                action=action,
                conditions=conditions,
                weight=weight,
                effective_weight=effective,
                flags=flags,
                callout=callout,
                provider=self.referred("provider", table.get("provider", ""), (*base, "provider")),
                description=table.get("description", ""),
                filter_id=table.get("filter_id"),
                raw_context=table.get("raw_context"),
                provider_context=self.referred(
                    "provider_context", table.get("provider_context", ""), (*base, "provider_context")
                ),
                source=self._source(base) if source is None else source,
                provider_data=table.get("provider_data", ""),
            )
            if source is None:  # what a machine holds is taken as it is
                self._check(one, base, table, listed.get(layer))
            yield one

    def _source(self, base: Path) -> str:
        return f"{self._name}, line {self.line(base)}"

    def _check(self, one: Filter, base: Path, table: dict[str, Any], listed: frozenset[str] | None) -> None:
        for finding in filter_findings(one) if one.action else ():  # a bad action is told already
            if one.action.startswith("CALLOUT_") and not one.callout and finding.what.endswith("without a callout"):
                continue  # so is this
            self.complain(base, finding.what, finding.nearest, finding.fix)
        in_table = len(one.conditions) - len(table.get("condition", ()))
        keys = [key for key, value in table.get("when", {}).items()
                for _ in (value if isinstance(value, list) and not _is_mask(key) else (value,))]  # fmt: skip
        for finding in condition_findings(one, listed):
            at = finding.condition
            assert at is not None
            if at >= in_table:
                path: Path = (*base, "condition", at - in_table)
            else:
                path = (*base, "when", keys[at]) if at < len(keys) else (*base, "when")
            self.complain(path, finding.what, finding.nearest, finding.fix)

    def _conditions(self, base: Path, table: dict[str, Any], layer: str, *, twins: bool) -> tuple[Condition, ...]:
        found: list[Condition] = []
        if "when" in table:
            layers = self.found_layers(layer)
            if isinstance(layers, FsmError):
                self.complain((*base, "when"), f"nobody has documented the layer {layer}", "",
                               "Write its conditions in the long form, [[filter.condition]]")  # fmt: skip
            else:
                found += read_when(table["when"], layers[0], twins=twins, complain=self.at((*base, "when")))
        for at, entry in enumerate(table.get("condition", ())):
            path = (*base, "condition", at)
            if not isinstance(entry, dict):
                self.complain(path, f"{shown(entry)} is no table")
                continue
            for key in entry:
                if key not in LONG_KEYS:
                    error = UnknownName.of("", "key", key, LONG_KEYS)
                    self.complain((*path, key), error.what, error.nearest)
            condition = read_condition(entry, self.accepted, self.at(path))
            if condition is not None:
                found.append(condition)
        return tuple(found)

    def _check_flags(self, table: dict[str, Any], base: Path) -> None:
        for at, flag in enumerate(table.get("flags", ())):
            if flag not in FILTER_FLAGS and flag not in self.accepted:
                error = UnknownName.of("", "flag", flag, FILTER_FLAGS)
                self.complain((*base, "flags", at), error.what, error.nearest)

    def _weight(self, given: Any, path: Path) -> Weight:
        if given == "auto":
            return Weight()
        if isinstance(given, str) and (ranged := re.fullmatch(r"range ([0-9]{1,3})", given.strip())):
            if int(ranged[1]) > 15:
                self.complain(path, f"weight = {given!r} (FWP_E_INVALID_WEIGHT)", "Allowed: range 0 to range 15")
                return Weight()
            return Weight("UINT8", int(ranged[1]))
        number = number_of(given)
        if number is None or not 0 <= number < 1 << 64:
            self.complain(
                path, f"weight = {shown(given)}", 'Allowed: a number up to 2**64 - 1, "range 0" to "range 15", "auto"'
            )
            return Weight()
        return Weight("UINT64", number)

    def _action(self, given: str | None, layer: str, base: Path, *, dumped: bool) -> tuple[str, str]:
        path = (*base, "action")
        if given is None and self.told(path):
            return "", ""
        if given is None:
            self.complain(base, "a filter without an action", "Allowed: permit, block, continue, callout:NAME")
            return "", ""
        word, colon, name = given.partition(":")
        action = ACTION_WORDS.get(word.strip().lower())
        if action is None and given in self.accepted:
            return given, ""
        if action is None and word in self.accepted:
            action = word
        if action is None and given.rpartition(":")[0] in self.accepted:
            action, _, name = given.rpartition(":")
        if action is None:
            error = UnknownName.of("", "action", given, ACTION_WORDS)
            self.complain(path, error.what, error.nearest, "Write permit, block, continue or callout:NAME")
            return "", ""
        is_callout = action.startswith("CALLOUT_")
        if is_callout and not colon and not dumped:
            self.complain(path, f"action {given!r} names no callout", "", f'Write "{word}:NAME"')
            return action, ""
        if not is_callout and colon and action not in self.accepted and name.strip() not in self.accepted:
            self.complain(path, f"action {given!r}: {word} takes no callout", "", f'Write "{word}" or "callout:NAME"')
        return action, self._callout_key(name.strip(), layer, path, dumped=dumped) if colon else ""

    def _callout_key(self, name: str, layer: str, path: Path, *, dumped: bool) -> str:
        key = spelled_key(name)
        known = self._callouts.get(name) or self._callouts.get(key) or []
        exact = [one for one in known if one.key == key]
        fitting = exact or [one for one in known if one.layer in (layer, "")]
        if fitting:
            one = fitting[0]
            if one.layer not in (layer, "") and not dumped:
                self.complain(path, f"the callout {name!r} is for {one.layer}, not for {layer}", "",
                               "Name both layers in the callout, or make a second one")  # fmt: skip
            return one.key
        if known:
            places_ = ", ".join(dict.fromkeys(one.layer for one in known))
            self.complain(path, f"no callout {name!r} at {layer}", f"It is at {places_}")
            return key
        if key in NAMES or key in self.accepted or name in self.accepted:
            return key
        error = UnknownName.of("", "callout", name, self._callouts)
        nearest = error.nearest if self._callouts else "There is no [[callout]] here"
        self.complain(path, error.what, nearest, "Add a [[callout]] with that name")
        return key


def _is_mask(key: str) -> bool:
    return key.endswith(("_all", "_any", "_none"))
