r"""The op table's LaTeX as readable text and as MathML, and with other names put into it.

A formula is cut into tokens, the tokens make a tree of a few kinds of parts, and a renderer walks
the tree.  It knows the LaTeX that the table uses; a test renders every formula of the table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

Part = tuple[Any, ...]
"""(kind, ...): "row" of parts, "frac", "sqrt", "sup", "sub", "over", or an atom: "id", "op" ..."""

_TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|\d+(?:\.\d+)?(?:e[+-]?\d+)?|\s+|.", re.DOTALL)
_SIGNS = {
    r"\cdot": "·", r"\le": "≤", r"\ge": "≥", r"\ne": "≠", r"\neq": "≠", r"\land": "∧",
    r"\lor": "∨", r"\oplus": "⊕", r"\wedge": "^", r"\lnot": "¬", r"\sim": "~", r"\odot": "⊙",
    r"\cdots": "⋯", r"\ldots": "…", r"\infty": "∞", r"\sum": "Σ", r"\prod": "Π",
    r"\bigvee": "⋁", r"\bigwedge": "⋀", r"\lfloor": "⌊", r"\rfloor": "⌋", r"\lceil": "⌈",
    r"\rceil": "⌉", r"\top": "T", r"\{": "{", r"\}": "}", r"\&": "&", r"\#": "#",
    r"\partial": "∂", r"\to": "→", r"\times": "×", r"\_": "_",
}  # fmt: skip
_GREEK = {
    r"\alpha": "α", r"\beta": "β", r"\delta": "δ", r"\epsilon": "ε", r"\lambda": "λ", r"\mu": "μ",
    r"\pi": "π", r"\sigma": "σ", r"\varphi": "φ", r"\Phi": "Φ",
}  # fmt: skip
_SPACES = {r"\,": "thin", r"\;": "thin", "\\ ": "space", r"\quad": "wide"}
_SILENT = (r"\textstyle", r"\displaystyle", r"\left", r"\right", r"\bigl", r"\bigr")
_WORDS = (r"\text", r"\mathrm", r"\operatorname")
_ACCENTS = {r"\bar": "\u0304", r"\hat": "\u0302", r"\overline": "\u0304"}
_WRAPPERS = (r"\mathbin", r"\mathord")
_BINARY = set("+-=<>·≤≥≠∧∨⊕⊙~&→×")
_RAISED = str.maketrans("0123456789+-T", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ᵀ")
_LOWERED = str.maketrans("0123456789ijknt", "₀₁₂₃₄₅₆₇₈₉ᵢⱼₖₙₜ")


def tokens(latex: str) -> list[str]:
    """The tokens of a formula; joined they are the formula again."""
    return _TOKEN.findall(latex)


def substitute(latex: str, names: Mapping[str, str]) -> str:
    r"""The formula with other LaTeX in the place of single letters or commands.

    Letters inside `\text{}`, `\mathrm{}` and `\operatorname{}` stay, unless the whole of it is a
    name: `\mathrm{out}`.
    """
    found = tokens(latex)
    result, i = [], 0
    while i < len(found):
        token = found[i]
        if token in _WORDS and found[i + 1 : i + 2] == ["{"]:
            end = _closing(found, i + 1)
            whole = "".join(found[i : end + 1])
            result.append(names.get(whole, whole))
            i = end + 1
            continue
        new = names.get(token, token)
        if new != token and found[i + 1 : i + 2] in (["^"], ["_"]):
            new = rf"\left({new}\right)" if new.startswith(r"\frac") else f"{{{new}}}"
        elif new != token and len(new) > 1 and found[i - 1 : i] in (["^"], ["_"]):
            new = f"{{{new}}}"
        if new != token and new[-1:].isalpha() and "".join(found[i + 1 : i + 2]).isalpha():
            new += " "
        result.append(new)
        i += 1
    return "".join(result)


def letters(latex: str) -> set[str]:
    """The single letters that a formula uses as names, and words of `mathrm` as a whole."""
    found, result, i = tokens(latex), set(), 0
    while i < len(found):
        if found[i] in _WORDS and found[i + 1 : i + 2] == ["{"]:
            end = _closing(found, i + 1)
            result.add("".join(found[i : end + 1]))
            i = end
        elif found[i].isalpha():
            result.add(found[i])
        i += 1
    return result


def _closing(found: list[str], start: int) -> int:
    """Where the brace that opens at `start` closes."""
    depth = 0
    for i in range(start, len(found)):
        depth += (found[i] == "{") - (found[i] == "}")
        if not depth:
            return i
    raise ValueError(f"a brace is not closed in {''.join(found)!r}")


class _Parser:
    def __init__(self, latex: str):
        self.source, self.tokens, self.i = latex, tokens(latex), 0

    def row(self, end: str | None = None) -> Part:
        parts: list[Part] = []
        while self.i < len(self.tokens):
            token = self.tokens[self.i]
            if token == end:
                self.i += 1
                return ("row", parts)
            self.i += 1
            if token in "^_":
                base = parts.pop() if parts else ("row", [])
                parts.append(("sup" if token == "^" else "sub", base, self.argument()))
            elif token == "'":
                parts.append(("sup", parts.pop(), ("op", "′")))
            else:
                part = self.part(token)
                if part is not None:
                    parts.append(part)
        if end is not None:
            raise ValueError(f"{end!r} is missing in {self.source!r}")
        return ("row", parts)

    def argument(self) -> Part:
        while self.tokens[self.i].isspace():
            self.i += 1
        token = self.tokens[self.i]
        self.i += 1
        return self.part(token) or ("row", [])

    def part(self, token: str) -> Part | None:
        if token.isspace() or token in _SILENT:
            return None
        if token == "{":
            return self.row("}")
        if token in _SPACES:
            return ("space", _SPACES[token])
        if token in (r"\frac", r"\tfrac"):
            return ("frac", self.argument(), self.argument())
        if token == r"\sqrt":
            return ("sqrt", self.argument())
        if token in _ACCENTS:
            return ("over", self.argument(), _ACCENTS[token])
        if token in _WORDS:
            end = _closing(self.tokens, self.i)
            word = "".join(self.tokens[self.i + 1 : end])
            self.i = end + 1
            return ("text" if token == r"\text" else "word", word.replace(r"\_", "_"))
        if token in _WRAPPERS:
            return self.argument()
        if token in _GREEK:
            return ("id", _GREEK[token])
        if token in _SIGNS:
            return ("op", _SIGNS[token])
        if token.startswith("\\"):
            return ("word", token[1:])  # \max, \ln, \tanh ...
        if token[0].isdigit():
            return ("num", token)
        return ("id", token) if token.isalpha() else ("op", token)


def parse(latex: str) -> Part:
    """The tree of a formula; ValueError where its braces do not match."""
    return _Parser(latex).row()


def to_text(latex: str) -> str:
    r"""One line of plain text: `\frac{g}{2\sqrt{x}}` becomes `g / (2√x)`."""
    text = re.sub(r"\s+", " ", _text(parse(latex))).strip()
    text = re.sub(r"\|(?=[≤≥<>=−])", "| ", text)
    return re.sub(r"([(\[⌊]) | (?=[)\],;⌋])", r"\1", text)


def _text(part: Part) -> str:
    kind = part[0]
    if kind == "row":
        return _text_row(part[1])
    if kind == "frac":
        over = _text(part[1])
        if over.startswith("∂"):
            return f"{over}/{_text(part[2])}"
        return f"{_grouped(part[1])} / {_grouped(part[2])}"
    if kind == "sqrt":
        return "√" + _grouped(part[1])
    if kind == "sup":
        return _text(part[1]) + _script(_text(part[2]), _RAISED, "^")
    if kind == "sub":
        return _text(part[1]) + _script(_text(part[2]), _LOWERED, "_")
    if kind == "over":
        inner = _text(part[1])
        return inner + part[2] if len(inner) == 1 else f"mean({inner})"
    if kind == "space":
        return "   " if part[1] == "wide" else " "
    if kind == "text":
        return part[1]
    return part[1]


def _text_row(parts: list[Part]) -> str:
    text = ""
    for i, part in enumerate(parts):
        piece = _text(part)
        if part[0] == "op" and part[1] == "-":
            piece = "−"
        if part[0] == "frac" and piece[0] != "∂" and _is_factor(parts, i):
            piece = f"({piece})"
        sign = part[0] == "op" and (part[1] in _BINARY)
        leads = i == 0 or (parts[i - 1][0] == "op" and parts[i - 1][1] in "([,|=<>{")
        if sign and not (leads and part[1] in "-~"):
            piece = f" {piece} "
        elif part[0] == "op" and part[1] == ",":
            piece = ", "
        elif text and not sign and _collides(text, piece, parts[i - 1], part):
            piece = " " + piece
        text += piece
    return text


def _is_factor(parts: list[Part], i: int) -> bool:
    """True when something is multiplied with part `i` without a sign between them."""

    def beside(step: int, apart: str) -> bool:
        j = i + step
        while 0 <= j < len(parts) and parts[j][0] == "space":
            if parts[j][1] == "wide":
                return False
            j += step
        return 0 <= j < len(parts) and not (
            parts[j][0] in ("op", "text") and (parts[j][0] == "text" or parts[j][1] in apart)
        )

    return beside(1, "+-=<>≤≥≠·,;)]|") or beside(-1, "+-=<>≤≥≠·,;([|")


def _collides(text: str, piece: str, before: Part, part: Part) -> bool:
    """True where two names would read as one: `y ln x`, `g x`."""
    wordy = [p[0] in ("word", "sup", "sub", "id", "over", "text", "frac", "row", "num")
             for p in (before, part)]  # fmt: skip
    if part[0] == "op" and part[1] in "([" and before[0] in ("word", "id"):
        return False
    if not piece or not text or not (piece[0].isalnum() or piece[0] in "Σ√∂"):
        return False
    return wordy[1] and (text[-1].isalnum() or text[-1] in "Σ′)]ᵀ⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉ᵢⱼₖₙₜ")


_ONE_THING = re.compile(
    r"\([^()]*\)|∂[^ ()/]*|[\w.]+|√\w|(?:[σΦ]|\w{2,})\([^()]*\)|.[\u0300-\u036f]"
)
"""What needs no parentheses as a numerator, a denominator, or under a root."""


def _grouped(part: Part) -> str:
    text = _text(part).strip()
    return text if len(text) == 1 or _ONE_THING.fullmatch(text) else f"({text})"


def _script(text: str, table: dict[int, int], mark: str) -> str:
    text = text.strip()
    if re.fullmatch(r"\w( \w)+", text):
        text = text.replace(" ", "")
    small = text.replace("−", "-").translate(table) if len(text) < 4 else text
    if all(ord(c) in table or c == "−" for c in text) and len(text) < 4:
        return small
    whole = len(text) == 1 or text.isalnum() or re.fullmatch(r"\([^()]*\)", text)
    return f"{mark}{text}" if whole else f"{mark}({text})"


def to_mathml(latex: str) -> str:
    """A `<math>` element, which browsers draw by themselves."""
    return f"<math>{_mathml(parse(latex))}</math>"


def _element(tag: str) -> Callable[[Part], str]:
    def render(part: Part) -> str:
        return f"<{tag}>{''.join(_mathml(p) for p in part[1:])}</{tag}>"

    return render


def _mathml_over(part: Part) -> str:
    sign = "^" if part[2] == "\u0302" else "¯"
    return f'<mover accent="true">{_mathml(part[1])}<mo>{sign}</mo></mover>'


def _mathml_space(part: Part) -> str:
    return f'<mspace width="{dict(thin="0.17em", space="0.3em", wide="1em")[part[1]]}"/>'


_MATHML: dict[str, Callable[[Part], str]] = {
    "row": lambda part: f"<mrow>{''.join(_mathml(p) for p in part[1])}</mrow>",
    "frac": _element("mfrac"),
    "sqrt": _element("msqrt"),
    "sup": _element("msup"),
    "sub": _element("msub"),
    "over": _mathml_over,
    "space": _mathml_space,
    "id": lambda part: f"<mi>{escape(part[1])}</mi>",
    "num": lambda part: f"<mn>{escape(part[1])}</mn>",
    "op": lambda part: f"<mo>{escape('−' if part[1] == '-' else part[1])}</mo>",
    "word": lambda part: f"<mi>{escape(part[1])}</mi><mspace width='0.12em'/>",
    "text": lambda part: f"<mtext>{escape(part[1]).replace(' ', chr(160))}</mtext>",
}


def _mathml(part: Part) -> str:
    rendered = _MATHML[part[0]](part)
    return f"<mrow>{rendered}</mrow>" if part[0] == "word" else rendered
