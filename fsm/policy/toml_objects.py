"""What the filters of a policy file refer to: its providers, sublayers, callouts, provider contexts and layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from fsm.catalogue import Layer, find
from fsm.errors import FsmError, UnknownName

from .model import ANSWERS, Behaviour, Callout, LayerEntry, Provider, ProviderContext, Sublayer
from .toml_conditions import read_value
from .toml_shapes import Mistakes, Path, shown
from .well_known import NAMES, spelled_key

Object = TypeVar("Object", Provider, Sublayer, Callout, ProviderContext)


class Objects(Mistakes):
    """The objects of a file as they are read, and the names they can be referred to by."""

    def __init__(self, text: str, name: str) -> None:
        super().__init__(text, name)
        self.accepted: frozenset[str] = frozenset()  # names that stand for themselves: of objects, layers, types ...
        self._layers: dict[str, tuple[Layer, ...] | FsmError] = {}
        self._declared: dict[str, dict[str, list[str]]] = {}  # table -> {name or key: keys}

    def providers(self, document: dict[str, Any]) -> tuple[Provider, ...]:
        """The `[[provider]]` tables."""
        return self._read(document, "provider", lambda base, table: (self._provider(base, table),))

    def sublayers(self, document: dict[str, Any]) -> tuple[Sublayer, ...]:
        """The `[[sublayer]]` tables, after the providers, which they name."""
        return self._read(document, "sublayer", lambda base, table: (self._sublayer(base, table),))

    def callouts(self, document: dict[str, Any]) -> tuple[Callout, ...]:
        """The `[[callout]]` tables, one callout for each of its layers."""
        return self._read(document, "callout", self._callout)

    def contexts(self, document: dict[str, Any]) -> tuple[ProviderContext, ...]:
        """The `[[provider_context]]` tables."""
        return self._read(document, "provider_context", lambda base, table: (self._context(base, table),))

    def layers(self, document: dict[str, Any]) -> tuple[LayerEntry, ...]:
        """The `[[layer]]` tables: what a machine said of its layers."""
        return tuple(self._layer_entry(base, table) for base, table in self.tables(document, "layer"))

    # ---- names

    def referred(self, kind: str, given: str, path: Path) -> str:
        """The key that a name means: of this file, a well-known one, or one that is accepted as it is."""
        if not given:
            return ""
        key = spelled_key(given)
        known = self._declared.get(kind, {})
        if key in known and key in known[key]:
            return key
        if given in known:
            keys = list(dict.fromkeys(known[given]))
            if len(keys) > 1:
                self.complain(path, f"{given!r} names {len(keys)} of kind {kind}", f"Candidates: {', '.join(keys)}")
            return keys[0]
        if key in NAMES or given in self.accepted or key in self.accepted:
            return key
        prefix = {"provider": "FWPM_PROVIDER_", "sublayer": "FWPM_SUBLAYER_"}.get(kind, "FWPM_PROVIDER_CONTEXT_")
        choices = [*known, *(name for name in NAMES if name.startswith(prefix))]
        error = UnknownName.of("", kind.replace("_", " "), given, choices)
        self.complain(path, error.what, error.nearest, f"Add a [[{kind}]] with that name")
        return key

    def layers_of(self, given: Any, base: Path, kind: str) -> list[str]:
        """The full names of the layers that a name or a list of names means."""
        names = given if isinstance(given, list) else [given]
        if given is None or not names:
            if given is None and kind == "callout":
                return [""]  # any layer: nobody has said
            if not self.told((*base, "layer")):
                self.complain(base, f"a {kind} without a layer", "", 'Add layer = "ALE_AUTH_CONNECT" or the like')
            return []
        found: dict[str, None] = {}
        for at, name in enumerate(names):
            path = (*base, "layer", at) if isinstance(given, list) else (*base, "layer")
            if not isinstance(name, str):
                self.complain(path, f"{shown(name)} is no layer")
            elif name in self.accepted or (name == "" and "" in names):
                found[name] = None
            else:
                layers = self.found_layers(name)
                if isinstance(layers, FsmError):
                    self.complain(path, layers.what, layers.nearest, layers.fix)
                else:
                    found.update((layer.name, None) for layer in layers)
        return list(found)

    def found_layers(self, name: str) -> tuple[Layer, ...] | FsmError:
        """The layers that a name in any spelling means, or why none does; looked up once."""
        if name not in self._layers:
            try:
                layers = find(name, where="")
                plain = tuple(layer for layer in layers if not layer.is_discard) or layers
                if len({layer.stem for layer in plain}) > 1:
                    names = ", ".join(layer.short_name for layer in plain)
                    raise UnknownName("", f"{name!r} names several layers", f"Candidates: {names}", "Give one of them")
                self._layers[name] = plain
            except FsmError as error:
                self._layers[name] = error
        return self._layers[name]

    # ---- one of each

    def _read(
        self, document: dict[str, Any], kind: str, read: Callable[[Path, dict[str, Any]], Iterable[Object]]
    ) -> tuple[Object, ...]:
        """The objects of one kind; two with one key are a mistake, except in what was written from a dump."""
        objects: list[Object] = []
        before: dict[str, Path] = {}
        known = self._declared.setdefault(kind, {})
        for base, table in self.tables(document, kind):
            for one in read(base, table):
                objects.append(one)
                if one.key in before and "source" not in document:
                    what = f"a second {kind} with the key {one.key!r} (line {self.line(before[one.key])})"
                    fix = "Name all its layers in one callout, or give" if kind == "callout" else "Give"
                    self.complain(base, what, "", f"{fix} each a key of its own")
                before.setdefault(one.key, base)
        for one in objects:
            for name in dict.fromkeys((one.key, one.name)):
                if name:
                    known.setdefault(name, []).append(one.key)
        return tuple(objects)

    def _named(self, base: Path, table: dict[str, Any]) -> tuple[str, str]:
        """(key, name) of an object; one of them is enough."""
        name, key = table.get("name", ""), table.get("key", "")
        if not name and not key and not ("key" in table and "name" in table):
            self.complain(base, f"a {base[0]} without a name", "", 'Add name = "..."')
        return spelled_key(key if "key" in table else name), name if "name" in table else key

    def _provider(self, base: Path, table: dict[str, Any]) -> Provider:
        key, name = self._named(base, table)
        return Provider(
            key=key,
            name=name,
            description=table.get("description", ""),
            service=table.get("service", ""),
            flags=tuple(table.get("flags", ())),
            provider_data=table.get("provider_data", ""),
        )

    def _sublayer(self, base: Path, table: dict[str, Any]) -> Sublayer:
        key, name = self._named(base, table)
        weight = table.get("weight")
        if weight is None and not self.told((*base, "weight")):
            self.complain(base, f"sublayer {key!r} has no weight", "", "Add weight = 0 to 65535")
        elif weight is not None and weight > 65535:
            self.complain((*base, "weight"), f"weight = {weight}", "Allowed: 0 to 65535")
        return Sublayer(
            key=key,
            name=name,
            weight=weight or 0,
            provider=self.referred("provider", table.get("provider", ""), (*base, "provider")),
            flags=tuple(table.get("flags", ())),
            description=table.get("description", ""),
            provider_data=table.get("provider_data", ""),
        )

    def _callout(self, base: Path, table: dict[str, Any]) -> Iterable[Callout]:
        key, name = self._named(base, table)
        for word in ("answer", "on_reauthorize"):
            if table.get(word) and table[word] not in ANSWERS:
                error = UnknownName.of("", "answer", table[word], ANSWERS)
                self.complain((*base, word), error.what, error.nearest)
        behaviour = Behaviour(
            answer=table.get("answer", "unknown"),
            clears_write=table.get("clears_write", False),
            on_reauthorize=table.get("on_reauthorize", ""),
            checks_injection=table.get("checks_injection", True),
            needs=tuple(table.get("needs", ())),
            plans=tuple(table.get("plans", ())),
        )
        places_ = self.layers_of(table.get("layer"), base, "callout")
        for layer in places_:
            yield Callout(
                key=key if len(places_) == 1 else f"{key}/{layer.removeprefix('FWPM_LAYER_')}",
                name=name,
                layer=layer,
                registered=table.get("registered"),
                callout_id=table.get("callout_id"),
                provider=self.referred("provider", table.get("provider", ""), (*base, "provider")),
                description=table.get("description", ""),
                behaviour=behaviour,
                flags=tuple(table.get("flags", ())),
                provider_data=table.get("provider_data", ""),
            )

    def _context(self, base: Path, table: dict[str, Any]) -> ProviderContext:
        key, name = self._named(base, table)
        options = []
        for at, option in enumerate(table.get("options", ())):
            path = (*base, "options", at)
            if not isinstance(option, dict) or not isinstance(option.get("option"), str):
                self.complain(path, "an option without a name", "", "Write {option = ..., type = ..., value = ...}")
                continue
            for key_ in option.keys() - {"option", "type", "value", "raw"}:
                self.complain((*path, key_), f"no key named {key_!r}", "Allowed: option, type, value, raw")
            value = read_value(option, self.accepted, self.at(path))
            if value is not None:
                options.append((option["option"], value))
        return ProviderContext(
            key=key,
            name=name,
            type=table.get("type", ""),
            provider=self.referred("provider", table.get("provider", ""), (*base, "provider")),
            description=table.get("description", ""),
            flags=tuple(table.get("flags", ())),
            context_id=table.get("context_id"),
            data=table.get("data", ""),
            options=tuple(options),
            provider_data=table.get("provider_data", ""),
        )

    def _layer_entry(self, base: Path, table: dict[str, Any]) -> LayerEntry:
        fields = []
        for at, entry in enumerate(table.get("fields", ())):
            if isinstance(entry, list) and len(entry) == 3 and all(isinstance(part, str) for part in entry):
                fields.append((entry[0], entry[1], entry[2]))
            else:
                self.complain((*base, "fields", at), f"{shown(entry)} is not [field, data type, kind]")
        if not table.get("key"):
            self.complain(base, "a layer without a key", "", 'Add key = "FWPM_LAYER_..."')
        return LayerEntry(
            key=table.get("key", ""),
            name=table.get("name", ""),
            layer_id=table.get("layer_id"),
            default_sublayer=table.get("default_sublayer", ""),
            flags=tuple(table.get("flags", ())),
            fields=tuple(fields),
            description=table.get("description", ""),
        )
