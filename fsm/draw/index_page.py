"""The pages that show many pictures: Markdown for a folder, and one HTML file that needs nothing beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

from fsm.draw.pictures import Picture
from fsm.draw.theme import DARK, LIGHT, Palette, css, html

# Kind of picture: heading, what stands below it. In the order of the pages.
GROUPS = {
    "packet path": ("The way of a packet", "All layers on one page."),
    "endpoint": ("Endpoints", "What a socket, or a host without one, goes through."),
    "session": ("Session", "Sockets on two hosts and a network between them, collapsed to what can be read."),
    "dispute": ("Disputes", "Where the sources contradict each other: every side, run on the machine, side by side."),
    "setting": ("Settings", "What the machine, the socket or the moment decides, side by side."),
    "flow": ("Flows", "What happens in one case, step by step: lanes from the application to the remote host."),
}
_NAMES = {"dot": "DOT", "mermaid": "Mermaid", "text": "text"}


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture on a page: its files by format, and what is put into the page itself.

    `svg` is what `theme_svg` made; `text` stands in for it where nothing was drawn.
    """

    picture: Picture
    files: Mapping[str, str]
    svg: str = ""
    text: str = ""


def markdown_sections(pictures: Sequence[Shown]) -> list[str]:
    """Headings, sentences, links and images of all pictures as lines of Markdown."""
    lines: list[str] = []
    for (heading, about), members in _grouped(pictures):
        lines += ["", f"## {heading}", "", about]
        for shown in members:
            image = next((shown.files[form] for form in ("svg", "png", "jpg") if form in shown.files), "")
            links = " ".join(
                f"[{_NAMES.get(form, form.upper())}]({file})" for form, file in shown.files.items() if file != image
            )
            lines += ["", f"### {shown.picture.name}", "", f"{shown.picture.sentence}. {links}".rstrip()]
            if image:
                lines += ["", f"![{shown.picture.title}]({image})"]
            elif shown.text:
                lines += ["", "```text", *shown.text.splitlines(), "```"]
    return lines


def html_page(pictures: Sequence[Shown], about: str, missing: Sequence[tuple[str, str]] = ()) -> str:
    """One HTML file with every picture in it: light and dark, links into the documents, no network.

    Parameters
    ----------
    pictures : in order; each once.
    about : which machine they are drawn for.
    missing : name and reason of pictures that this machine has not.
    """
    groups = list(_grouped(pictures))
    body = ['<nav aria-label="Pictures">']
    for (heading, _), members in groups:
        links = " ".join(f'<a href="#{html(s.picture.name)}">{html(s.picture.name)}</a>' for s in members)
        body.append(f"<p><b>{html(heading)}</b> {links}</p>")
    body.append("</nav>")
    number = 0
    for (heading, text), members in groups:
        body += ["<section>", f"<h2>{html(heading)}</h2>", f"<p>{html(text)}</p>"]
        for shown in members:
            number += 1
            body += _figure(shown, f"p{number}")
        body.append("</section>")
    if missing:
        body += ["<section>", "<h2>Not on this machine</h2>", "<ul>"]
        body += [f"<li><b>{html(name)}</b>: {html(reason)}</li>" for name, reason in missing]
        body += ["</ul>", "</section>"]
    return _PAGE.format(
        title="wfp-udp atlas",
        about=html(about),
        style=_STYLE.format(**_variables()),
        pictures=css(),
        body="\n".join(body),
    )


def _grouped(pictures: Sequence[Shown]) -> Iterable[tuple[tuple[str, str], list[Shown]]]:
    for kind, words in GROUPS.items():
        members = [shown for shown in pictures if shown.picture.kind == kind]
        if members:
            yield words, members


def _figure(shown: Shown, number: str) -> list[str]:
    name, picture = html(shown.picture.name), shown.picture
    links = " ".join(
        f'<a href="{html(file)}">{html(_NAMES.get(form, form.upper()))}</a>' for form, file in shown.files.items()
    )
    image = next((shown.files[form] for form in ("png", "jpg") if form in shown.files), "")
    if shown.svg:
        content = _inline(shown.svg, number)
    elif image:
        content = f'<img src="{html(image)}" alt="{html(picture.title)}" loading="lazy">'
    else:
        content = f"<pre>{html_lines(shown.text)}</pre>"
    return [
        f'<figure id="{name}">',
        f'<figcaption><h3><a href="#{name}">{name}</a></h3><p>{html(picture.sentence)}. {links}</p></figcaption>',
        f'<div class="sheet">{content}</div>',
        "</figure>",
    ]


def html_lines(text: str) -> str:
    """Text of several lines for HTML."""
    return "\n".join(map(html, text.splitlines()))


def _inline(svg: str, number: str) -> str:
    """An SVG to stand among others in one page: no style of its own, ids that are nobody else's."""
    svg = re.sub(r"<style>.*?</style>\n?", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r'(?<=[\s])id="', f'id="{number}-', svg)
    return re.sub(
        r'aria-labelledby="([^"]*)"',
        lambda found: f'aria-labelledby="{" ".join(f"{number}-{one}" for one in found[1].split())}"',
        svg,
        count=1,
    )


def _variables() -> dict[str, str]:
    def values(look: Palette) -> str:
        return "".join(f"--{field.name}:{getattr(look, field.name)};" for field in fields(Palette))

    return {"light": values(LIGHT), "dark": values(DARK)}


_STYLE = """\
:root{{color-scheme:light;{light}}}
@media (prefers-color-scheme:dark){{:root:not([data-theme]){{color-scheme:dark;{dark}}}}}
:root[data-theme="dark"]{{color-scheme:dark;{dark}}}
:root[data-theme="light"]{{color-scheme:light;{light}}}
body{{margin:0 auto;max-width:1320px;padding:1.5rem;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Arial,sans-serif}}
header{{display:flex;flex-wrap:wrap;gap:.5rem 1.5rem;align-items:baseline;justify-content:space-between}}
h1{{margin:0;font-size:1.6rem}} h2{{margin:3rem 0 0;font-size:1.3rem;border-bottom:1px solid var(--hair)}}
h3{{margin:0;font-size:1.05rem;font-family:ui-monospace,Consolas,monospace}} p{{margin:.3rem 0}}
a{{color:var(--out)}} h3 a{{color:inherit;text-decoration:none}}
nav{{margin:1rem 0;padding:.7rem 1rem;background:var(--grey);border:1px solid var(--hair);border-radius:8px}}
nav a{{margin-right:.5rem;white-space:nowrap}}
figure{{margin:1.8rem 0 2.4rem;content-visibility:auto;contain-intrinsic-size:auto 700px}}
.sheet{{overflow-x:auto;margin-top:.5rem;padding:.75rem;border:1px solid var(--hair);border-radius:8px}}
.sheet svg,.sheet img{{display:block;max-width:100%}} pre{{margin:0;font-size:13px}}
figure:target .sheet{{border-color:var(--taken);box-shadow:0 0 0 1px var(--taken)}}
fieldset{{border:0;margin:0;padding:0}} label{{margin-left:.8rem}}
"""

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}{pictures}</style>
</head>
<body>
<header>
<h1>UDP in the Windows Filtering Platform</h1>
<fieldset aria-label="Colours">
<label><input type="radio" name="theme" value="" checked> as the system</label>
<label><input type="radio" name="theme" value="light"> light</label>
<label><input type="radio" name="theme" value="dark"> dark</label>
</fieldset>
</header>
<p>{about}. Boxes link to the document behind them; point at one to see its rule.</p>
{body}
<script>
document.querySelectorAll('input[name="theme"]').forEach(function (choice) {{
  choice.addEventListener("change", function () {{
    var root = document.documentElement;
    if (choice.value) root.setAttribute("data-theme", choice.value); else root.removeAttribute("data-theme");
  }});
}});
</script>
</body>
</html>
"""
