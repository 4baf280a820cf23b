"""The keys of a policy file, once: what reader, writer and the published schema share.

For each table: {key: (kind, what it says)}. Kinds: text, number, flag (true or false), texts (a list of them), and
the words of tables below.
"""

from __future__ import annotations

Keys = dict[str, tuple[str, str]]

PROVIDER: Keys = {
    "name": ("text", "display name"),
    "key": ("text", "what others name it by; the name when not given"),
    "description": ("text", ""),
    "service": ("text", "the service it belongs to"),
    "flags": ("texts", "names without FWPM_PROVIDER_FLAG_"),
    "provider_data": ("text", "hex digits"),
}
SUBLAYER: Keys = {
    "name": ("text", "display name"),
    "key": ("text", "what filters name it by; the name when not given"),
    "weight": ("number", "0 to 65535; the heavier sublayer is asked first"),
    "provider": ("text", "key or name of a provider"),
    "flags": ("texts", "names without FWPM_SUBLAYER_FLAG_"),
    "description": ("text", ""),
    "provider_data": ("text", "hex digits"),
}
CALLOUT: Keys = {
    "name": ("text", "display name"),
    "key": ("text", "what filters name it by; the name when not given"),
    "layer": ("layers", "where it can be called; a name without version or a list make one callout for each"),
    "registered": ("flag", "whether its driver has registered it; leave it out if nobody knows"),
    "answer": ("text", "permit, block, continue, absorb, pend, redirect or unknown"),
    "clears_write": ("flag", "whether it takes the right to write away with its answer"),
    "on_reauthorize": ("text", "another answer when the flow is reauthorized"),
    "checks_injection": ("flag", "whether it permits what it has injected itself"),
    "needs": ("texts", "what it reads: process, payload ..."),
    "plans": ("texts", "what it wants to do: pend, absorb, redirect, clone ..."),
    "callout_id": ("number", "its run-time id"),
    "provider": ("text", "key or name of a provider"),
    "flags": ("texts", "names without FWPM_CALLOUT_FLAG_"),
    "description": ("text", ""),
    "provider_data": ("text", "hex digits"),
}
CONTEXT: Keys = {
    "name": ("text", "display name"),
    "key": ("text", "what filters name it by; the name when not given"),
    "type": ("text", "GENERAL_CONTEXT, CLASSIFY_OPTIONS_CONTEXT ..."),
    "provider": ("text", "key or name of a provider"),
    "description": ("text", ""),
    "flags": ("texts", "names without FWPM_PROVIDER_CONTEXT_FLAG_"),
    "context_id": ("number", "its run-time id"),
    "data": ("text", "hex digits"),
    "options": ("tables", "classify options: {option, type, value}"),
    "provider_data": ("text", "hex digits"),
}
LAYER: Keys = {
    "key": ("text", "full name, or GUID"),
    "name": ("text", "display name"),
    "layer_id": ("number", "run-time id on that machine"),
    "default_sublayer": ("text", "key of a sublayer"),
    "flags": ("texts", "names without FWPM_LAYER_FLAG_"),
    "fields": ("lists", "condition fields: [name, data type, kind]"),
    "description": ("text", ""),
}
FILTER: Keys = {
    "name": ("text", "display name"),
    "key": ("text", "what answers call it; filter-N when not given, with the layer behind it for twins"),
    "layer": ("layers", "any name of a layer; without version or in a list it stands for one filter at each"),
    "sublayer": ("text", "key or name; FWPM_SUBLAYER_UNIVERSAL when not given"),
    "action": ("text", "permit, block, continue, callout:NAME, inspect:NAME or callout_unknown:NAME"),
    "weight": ("weight", 'a number as it is, "range 0" to "range 15", or "auto" (the default)'),
    "effective_weight": ("number", "what the engine made of the weight"),
    "when": ("when", "the conditions as a readable table; nothing means always"),
    "condition": ("tables", "the conditions in the exact form: {field, match, type, value} (or raw)"),
    "hard": ("flag", "the flag CLEAR_ACTION_RIGHT: the action cannot be changed by lighter sublayers"),
    "flags": ("texts", "names without FWPM_FILTER_FLAG_"),
    "provider": ("text", "key or name of a provider"),
    "description": ("text", ""),
    "filter_id": ("number", "its run-time id"),
    "raw_context": ("number", ""),
    "provider_context": ("text", "key or name of a provider context"),
    "provider_data": ("text", "hex digits"),
    "read_from": ("text", "where a dump had it"),
}
NOT_UNDERSTOOD: Keys = {"where": ("text", "its place in a dump"), "what": ("text", "what it is")}
OPTIONS: Keys = {
    "multicast_state": ("text", "allow_link_local (the default), deny, or allow_global"),
    "loose_source_mapping": ("flag", "answers may come from another address"),
    "local_only_mapping": ("flag", ""),
    "unicast_lifetime_s": ("number", "idle time of a unicast flow, in seconds"),
    "multicast_lifetime_s": ("number", "idle time of a multicast or broadcast flow, in seconds"),
}
OPTION_WORDS: dict[str, tuple[str, ...]] = {"multicast_state": ("allow_link_local", "deny", "allow_global")}
TOP: Keys = {
    "source": ("text", "the dump it was written from"),
    "taken_at": ("text", "when that dump was made"),
    "accept_unknown": ("texts", "names to accept although nobody documents or declares them"),
    "options": ("table", "classify options of the whole policy"),
    "provider": ("tables", ""),
    "sublayer": ("tables", ""),
    "callout": ("tables", ""),
    "provider_context": ("tables", ""),
    "layer": ("tables", "layers as a state dump lists them"),
    "filter": ("tables", "order decides between equal weights"),
    "not_understood": ("tables", "what a dump had that has no place here"),
    "set_aside": ("table", "parts of a dump that are no policy: how many items each had"),
}
TABLES: dict[str, Keys] = {
    "provider": PROVIDER,
    "sublayer": SUBLAYER,
    "callout": CALLOUT,
    "provider_context": CONTEXT,
    "layer": LAYER,
    "filter": FILTER,
    "not_understood": NOT_UNDERSTOOD,
}
FILTER_FLAGS: tuple[str, ...] = (
    *("PERSISTENT", "BOOTTIME", "HAS_PROVIDER_CONTEXT", "CLEAR_ACTION_RIGHT", "PERMIT_IF_CALLOUT_UNREGISTERED"),
    *("DISABLED", "INDEXED", "HAS_SECURITY_REALM_PROVIDER_CONTEXT", "SYSTEMOS_ONLY", "GAMEOS_ONLY", "SILENT_MODE"),
    *("IPSEC_NO_ACQUIRE_INITIATE", "HAS_FILTER_ORIGIN", "RESERVED0", "RESERVED1"),
)
ACTION_WORDS: dict[str, str] = {
    "permit": "PERMIT",
    "block": "BLOCK",
    "continue": "CONTINUE",
    "callout": "CALLOUT_TERMINATING",
    "inspect": "CALLOUT_INSPECTION",
    "callout_unknown": "CALLOUT_UNKNOWN",
}


def json_schema() -> dict[str, object]:
    """The published JSON Schema of a policy file (`data/policy.schema.json`), made from the keys above."""
    definitions: dict[str, object] = {
        name: {
            "type": "object",
            "additionalProperties": False,
            "properties": {key: _property(kind, text, name, key) for key, (kind, text) in keys.items()},
            **({"required": list(_REQUIRED[name])} if name in _REQUIRED else {}),
        }
        for name, keys in TABLES.items()
    }
    top: dict[str, object] = {}
    for key, (kind, text) in TOP.items():
        if key in TABLES:
            top[key] = {"type": "array", "items": {"$ref": f"#/$defs/{key}"}, **_said(text)}
        elif key == "options":
            inside = {name: _property(k, t, "options", name) for name, (k, t) in OPTIONS.items()}
            top[key] = {"type": "object", "additionalProperties": False, "properties": inside, **_said(text)}
        elif key == "set_aside":
            top[key] = {"type": "object", "additionalProperties": _NUMBER, **_said(text)}
        else:
            top[key] = _property(kind, text, "", key)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Policy file of wfp-udp (TOML)",
        "description": "A set of WFP filters: read by every command that takes a policy.",
        "type": "object",
        "additionalProperties": False,
        "properties": top,
        "$defs": definitions,
    }


_REQUIRED: dict[str, tuple[str, ...]] = {"sublayer": ("weight",), "filter": ("layer", "action"), "layer": ("key",)}
_NUMBER: dict[str, object] = {
    "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^([0-9]+|0[xX][0-9A-Fa-f]+)$"}]
}
_TEXTS: dict[str, object] = {"type": "array", "items": {"type": "string"}}
_CONDITION: dict[str, object] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["field"],
    "properties": {
        "field": {"type": "string", "description": "any name of a condition field, or a GUID"},
        "match": {"type": "string", "description": "EQUAL when not given"},
        "type": {"type": "string", "description": "the field's own type when not given"},
        "value": {"description": "as the type has it; two tables for a RANGE"},
        "raw": {"type": "string", "description": "a value that nobody has understood, kept as it is"},
    },
}
_OPTION: dict[str, object] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["option", "type"],
    "properties": {"option": {"type": "string"}, "type": {"type": "string"}, "value": {}, "raw": {"type": "string"}},
}
_WHEN: dict[str, object] = {
    "type": "object",
    "additionalProperties": {
        "anyOf": [
            {"type": ["string", "integer"]},
            {"type": "array", "minItems": 1, "items": {"type": ["string", "integer"]}},
        ]
    },
}
_KINDS: dict[str, dict[str, object]] = {
    "text": {"type": "string"},
    "number": _NUMBER,
    "flag": {"type": "boolean"},
    "texts": _TEXTS,
    "lists": {"type": "array", "items": {**_TEXTS, "minItems": 3, "maxItems": 3}},
    "layers": {"anyOf": [{"type": "string"}, _TEXTS]},
    "weight": {
        "anyOf": [
            {"type": "integer", "minimum": 0},
            {"type": "string", "pattern": "^(auto|range ([0-9]|1[0-5])|[0-9]+|0[xX][0-9A-Fa-f]+)$"},
        ]
    },
    "when": _WHEN,
}


def _property(kind: str, text: str, table: str, key: str) -> dict[str, object]:
    if kind == "tables":
        return {"type": "array", "items": _CONDITION if table == "filter" else _OPTION, **_said(text)}
    words = {"enum": list(OPTION_WORDS[key])} if key in OPTION_WORDS else {}
    return {**_KINDS[kind], **words, **_said(text)}


def _said(text: str) -> dict[str, object]:
    return {"description": text} if text else {}
