"""What every reader of XML refuses, and how it says so: limits, code pages, the words of expat's errors."""

from __future__ import annotations

import codecs
import re
from xml.parsers import expat

LIMIT_DEPTH = 64
LIMIT_TEXT_BYTES = 1024 * 1024  # of one element
LIMIT_UNPROCESSED_BYTES = 1024 * 1024  # of one tag, attribute or comment: expat reads those again with each feed
# no element found, unclosed token, partial character, unclosed CDATA section: what the end of a cut file gives
CUT = (3, 5, 6, 20)
TOO_DEEP = f"nests elements deeper than {LIMIT_DEPTH}"
TOO_LONG_A_TEXT = f"has a text of more than {LIMIT_TEXT_BYTES >> 20} MiB in one element"
TOO_LONG_A_TAG = f"has one tag, attribute or comment of more than {LIMIT_UNPROCESSED_BYTES >> 20} MiB"

# Code pages that a declaration may name. Python knows other "encodings", which unpack archives.
_CODE_PAGE = re.compile(
    r"""<\?xml[^>]{0,200}encoding\s*=\s*["']((?:windows-|cp|ibm|iso-?8859-|latin|us-ascii|koi8|gb|big5|shift|euc)[\w-]*)["']""",
    re.IGNORECASE,
)


def code_page(prefix: str) -> str:
    """The encoding of the text: UTF-8, unless it declares a code page."""
    declared = _CODE_PAGE.match(prefix.lstrip("\ufeff \t\r\n"))
    try:
        return codecs.lookup(declared[1]).name if declared else "utf-8"
    except LookupError:
        return "utf-8"


def reason(error: expat.ExpatError) -> str:
    """What expat says, in its words."""
    return expat.ErrorString(error.code) or "not well-formed"
