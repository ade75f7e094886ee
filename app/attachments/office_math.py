"""Formulas of Office documents (OMML, ECMA-376 part 1, 22.1) as LaTeX, which models read. Pure."""

from typing import Any

M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
FORMULA = f"{M}oMath"


def latex_of(element: Any) -> str:
    """What a formula, or a part of one, says."""
    name = element.tag.removeprefix(M) if isinstance(element.tag, str) else ""

    def part(of: str) -> str:
        found = element.find(M + of)
        return "" if found is None else _within(found)

    match name:
        case "t":
            return element.text or ""
        case "f":
            return rf"\frac{{{part('num')}}}{{{part('den')}}}"
        case "sSup" | "sSub" | "sSubSup" | "limLow" | "limUpp":
            below = part("sub") or (part("lim") if name == "limLow" else "")
            above = part("sup") or (part("lim") if name == "limUpp" else "")
            return _base(part("e")) + _beside(below, above)
        case "rad":
            degree = part("deg")
            return rf"\sqrt{f'[{degree}]' if degree else ''}{{{part('e')}}}"
        case "nary":
            sign = _fact(element, "chr", "∫")
            return f"{sign}{_beside(part('sub'), part('sup'))} {part('e')}"
        case "d":
            opens, closes = _fact(element, "begChr", "("), _fact(element, "endChr", ")")
            parts = [_within(one) for one in element.iterchildren(f"{M}e")]
            return f"{opens}{_fact(element, 'sepChr', '|').join(parts)}{closes}"
        case "m":
            rows = [
                map(_within, row.iterchildren(f"{M}e")) for row in element.iterchildren(f"{M}mr")
            ]
            lines = r" \\ ".join(map(" & ".join, rows))
            return rf"\begin{{matrix}}{lines}\end{{matrix}}"
        case "func":
            return f"{part('fName')} {part('e')}"
        case _:
            return "" if name.endswith("Pr") else _within(element)


def _within(element: Any) -> str:
    return "".join(map(latex_of, element))


def _base(text: str) -> str:
    return text if len(text) < 2 else f"{{{text}}}"


def _beside(below: str, above: str) -> str:
    return (f"_{{{below}}}" if below else "") + (f"^{{{above}}}" if above else "")


def _fact(element: Any, name: str, default: str) -> str:
    """What the properties of an element say of it."""
    found = element.find(f"{element.tag}Pr/{M}{name}")
    return default if found is None else str(found.get(f"{M}val", default))
