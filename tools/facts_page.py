"""Write diagrams/pages/facts.md from fsm/facts.py.

    python tools/facts_page.py

Afterwards `python -m fsm.draw.gallery` if the page is new: the index of diagrams/ lists it.
"""

from __future__ import annotations

from pathlib import Path

from fsm.fact_text import page
from fsm.facts import FACTS

PAGE = Path(__file__).resolve().parent.parent / "diagrams" / "pages" / "facts.md"


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
    print(f"{PAGE}: {len(FACTS)} facts")


if __name__ == "__main__":
    main()
