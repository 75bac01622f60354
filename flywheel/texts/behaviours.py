"""Detectors of behaviour that nobody asked for, each with a version, told from the words of a reply and of the request."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from flywheel.records import last_input, last_reply, user_text

REWRITTEN = (
    r"(?i)\bhere(?:['’]s| is| are) (?:a|an|the|my|your)? ?(?:\w+ ){0,2}?(?:re-?written|revised|rephrased|reworded|improved|polished|edited|corrected|updated|cleaned[- ]up) "
    r"(?:version|text|draft|passage|paragraph|sentence|statement|article|post|copy)|"
    r"(?m:^\W*(?:re-?written|revised|rephrased|reworded|improved|polished|edited|corrected|suggested (?:rewrite|revision|rewording))(?: (?:version|text|draft|passage|paragraph|sentence|statement))?\W*:)|"
    r"\bi(?:['’]ve| have) (?:also )?(?:re-?written|revised|rephrased|reworded|polished|edited)\b|"
    r"(?:수정|개선|교정|다듬)[^\n]{0,4}(?:버전|글|문장|문단|본)(?:입니다|이에요|은|:)|다시 (?:써|작성해) (?:보았|봤|드렸)"
)
ASKED_TO_REWRITE = (
    r"(?i)\b(?:re-?writ(?:e|ing|ten)|rephras|reword|revis(?:e|ing|ion)|edit(?:ing)?\b|polish|proof-?read|paraphras|improve|shorten|simplify|clean up|"
    r"fix (?:the|my|this|any)|correct (?:the|my|this|any)|make (?:it|this) (?:sound|better|clearer|shorter|more))|"
    r"고쳐|수정해|다듬|바꿔|교정|다시 (?:써|작성)|줄여"
)
APOLOGY = r"(?i)^\W*(?:i(?:['’]m| am) (?:so |very |really )?sorry|i apologi[sz]e|my apologies|sorry (?:for|about|to)\b)|^\W*(?:죄송합니다|사과드립니다)"
COMPLAINED = r"(?i)\b(?:wrong|incorrect|mistake|error|broken|fail|problem|issue|complain|not work|does ?n['’]t work|no,|sorry|late|refund|disappoint|angry|unhappy|bad)\b|틀렸|아니|문제|오류|안 (?:돼|되)|늦"


@dataclass(frozen=True, slots=True)
class Detector:
    """One behaviour: what its replies look like, and the requests that make it wanted."""

    version: int
    """Raised when it comes to find something else."""
    reply: str
    """Regular expression of Rust's engine: what the reply says."""
    unless: str
    """What the user's messages say where it was asked for."""

    def found(self) -> pl.Expr:
        """Whether the reply behaves so although nobody asked."""
        asked = user_text().str.contains(self.unless) | last_input().str.contains(self.unless)
        return last_reply().str.contains(self.reply) & ~asked.fill_null(False)


DETECTORS: Mapping[str, Detector] = {
    "unasked_rewrite": Detector(1, REWRITTEN, ASKED_TO_REWRITE),
    "unasked_apology": Detector(1, APOLOGY, COMPLAINED),
}
"""Name -> detector, as a recipe names them."""
