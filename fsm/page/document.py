"""One HTML document from its parts: script, style and data inside, and a policy that lets nothing else in.

The policy names the hashes of the one script and the one style sheet, so a page that was tampered with runs nothing,
and forbids every connection.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files

from fsm.draw.theme import html
from fsm.page.packing import script_json

_TEMPLATE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="wfp-udp-fsm">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body class="{kind}">
{body}
<script type="application/json" id="data">{data}</script>
<script>{script}</script>
</body>
</html>
"""


def document(title: str, kind: str, body: str, data: object, scripts: Sequence[str]) -> str:
    """The page as text.

    Parameters
    ----------
    title : of the page.
    kind : "endpoint", "session" or "trace".
    body : HTML of the package's own, everything foreign in it escaped.
    data : what the scripts read, as JSON.
    scripts : names of assets, in the order in which they are to run.
    """
    # Between them, elements of the body carry styles of their own (the picture), so styles are allowed inline.
    script = "\n".join(asset(name) for name in scripts)
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        f"script-src '{_hash(script)}'; base-uri 'none'; form-action 'none'"
    )
    return _TEMPLATE.format(
        policy=policy,
        title=html(title),
        style=asset("page.css"),
        kind=kind,
        body=body,
        data=script_json(data),
        script=script,
    )


def asset(name: str) -> str:
    """A file of `fsm/assets` as text."""
    return (files("fsm") / "assets" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}"
