"""Signs: regular expressions written as people read them, and found as fast as Rust's engine can."""


def sign(pattern: str) -> str:
    """The pattern with ASCII classes for `\\b`, `\\s`, `\\w` and `\\d`, where `.` matches line ends; for a text in small letters.

    Unicode classes, and letters of either case, cost some ten times as much. A letter beyond ASCII is then no part of a word: "한 json으로" has the word json.
    """
    for short, plain in ((r"\b", r"(?-u:\b)"), (r"\S", r"[^ \t\n\r]"), (r"\d", "[0-9]")):
        pattern = pattern.replace(short, plain)
    # Inside a class the letters of another class can stand as they are.
    out, inside, at = [], False, 0
    while at < len(pattern):
        two = pattern[at : at + 2]
        if two in (r"\s", r"\w", r"\W"):
            kind = {r"\s": r" \t\n\r", r"\w": "0-9a-z_", r"\W": r"\x00-/:-^`{-\x7f"}[two]
            out.append(kind if inside else f"[{kind}]")
            at += 2
        elif two[:1] == "\\":
            out.append(two)
            at += 2
        else:
            inside = two[0] == "[" or (inside and two[0] != "]")
            out.append(two[0])
            at += 1
    return "(?s)" + "".join(out)
