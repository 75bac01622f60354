"""Street addresses become `[ADDRESS_…]`."""

import re
from typing import ClassVar, Literal

from flywheel.kinds import Redaction

_WORD = r"[A-ZÀ-Ž][A-Za-zÀ-ž'’.-]{1,20}"
_SUFFIX = (
    "Street|Avenue|Road|Drive|Lane|Boulevard|Court|Place|Square|Terrace|Way|Parkway|Crescent|Close|Highway|Circle|Trail|Row|Mews|"
    r"Gardens|Grove|Alley|Turnpike|(?:St|Ave|Rd|Ln|Blvd|Ct|Pl|Sq|Pkwy|Hwy)\.?"
)
_UNIT = r"(?:(?:Apt|Apartment|Suite|Ste)\.? ?#?[0-9]{1,5}[A-Z]?)"
_STATE = "A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[AT]|W[AIVY]|A[AEP]"
_ZIP = rf"(?:{_STATE}) [0-9]{{5}}(?:-[0-9]{{4}})?"
_POSTCODE = r"[A-Z]{1,2}[0-9][0-9A-Z]? [0-9][ABD-HJLNP-UW-Z]{2}"
_ENGLISH = (
    rf"[0-9]{{1,5}}[A-Za-z]?(?: [0-9]{{1,5}})? (?:[NSEW]\.? )?(?:{_WORD} ){{1,4}}(?:{_SUFFIX})(?:,? {_UNIT})?"
    rf"(?:,?[ \n]{_WORD}(?: {_WORD}){{0,2}},? (?:{_ZIP}|{_POSTCODE}))?"
)
_BOX = r"P\.? ?O\.? ?Box [0-9]{1,6}|(?:PSC|Unit|CMR) [0-9]{1,5},? Box [0-9]{1,5}(?:[ \n](?:APO|FPO|DPO) A[AEP] [0-9]{5})?|Postfach [0-9 ]{2,9}[0-9]"
_NUMBER = r"[0-9]{1,4}[a-z]?(?:[-/][0-9]{1,4}[a-z]?)?"
_TOWN = rf"(?:,? (?:[A-Z]-)?[0-9]{{4,5}} {_WORD})?"
_JOINED = (
    rf"(?:{_WORD}[ -]){{0,2}}[A-ZÀ-Ž][a-zà-ž-]{{1,24}}(?:stra(?:ß|ss)e|str\.|weg|gasse|platz|allee|ufer|damm|straat|laan|gracht|plein|kade|"
    rf"gatan|vägen|vej|gade|gata|veien|vegen|katu|kuja|tie) {_NUMBER}{_TOWN}"
    rf"|(?:{_WORD}[ -]){{1,3}}(?:[Ss]tra(?:ß|ss)e|[Ss]tr\.|Weg|Gasse|Platz|Allee|utca|u\.|út|útja|tér|körút) {_NUMBER}{_TOWN}"
)
_ROMANCE = (
    rf"(?:[Vv]ia|[Vv]iale|[Pp]iazza|[Cc]orso|[Vv]icolo|[Cc]alle|[Aa]venida|[Aa]vda\.?|[Pp]laza|[Pp]aseo|[Rr]ua|[Tt]ravessa|[Pp]raça|[Uu]l\.|ulica)"
    rf" (?:(?:de|del|della|delle|dei|do|da|dos|la|las|los|el) ){{0,2}}{_WORD}(?: (?:(?:de|di|do|da|del|e|y) )?{_WORD}){{0,3}},? (?:n\.?º? ?)?{_NUMBER}"
    rf"|[0-9]{{1,4}}(?: bis| ter)?,? (?:[Rr]ue|[Aa]venue|[Bb]oulevard|[Pp]lace|[Cc]hemin|[Aa]llée|[Ii]mpasse|[Qq]uai|[Rr]oute|[Cc]ours)"
    rf" (?:(?:de|du|des|la|le|les|à) |l['’]|d['’]){{0,3}}{_WORD}(?:[ -]{_WORD}){{0,3}}(?:,? [0-9]{{5}} {_WORD})?"
)
_REGION = "(?:서울|부산|대구|인천|광주|대전|울산|세종|경기|강원|충북|충남|충청북|충청남|전북|전남|전라북|전라남|경북|경남|경상북|경상남|제주)"
_KOREAN = (
    rf"(?:{_REGION}(?:특별자치시|특별자치도|특별시|광역시|시|도)? (?:[가-힣]{{1,5}}(?:시|군|구) ?){{0,2}}|(?:[가-힣]{{1,5}}(?:시|군|구) ?){{1,2}})"
    r"(?:[가-힣]{1,5}(?:읍|면) ?)?"
    r"(?:[가-힣]{1,8}(?:대로|로|길)(?: ?[0-9]{1,3}(?:가|나|다)?(?:번)?길)? ?[0-9]{1,4}(?:-[0-9]{1,4})?|[가-힣]{1,6}[0-9]?(?:동|리|가) ?[0-9]{1,4}(?:-[0-9]{1,4})?)"
    r"(?:번지)?(?:,? ?[0-9]{1,4}동)?(?:,? ?[0-9]{1,5}호)?"
)
_CODED = r"(?:(?:[Zz]ip|ZIP)(?: ?(?:[Cc]ode|CODE))?|[Pp]ost(?:al )?code|[Pp]ostal [Cc]ode|PLZ|우편 ?번호)(?:는|은| is)?[ :=#]{1,3}(?P<code>[0-9]{3,6}(?:-[0-9]{3,4})?)|〒(?P<post>[0-9]{3}-[0-9]{4})"


class RedactAddress(Redaction, frozen=True):
    """Replace street addresses by their form: number and street in English, French, German, Dutch, Nordic, Finnish, Hungarian,
    Italian, Spanish, Portuguese and Polish, Korean road and lot addresses, post boxes, apartments, US ZIP codes after the state,
    British postcodes, and other postal codes after a word that says what they are.

    Names of towns and countries alone stay, and so does a street without a number or without a word for street.
    """

    use: Literal["redact_address"] = "redact_address"
    label: ClassVar[str] = "ADDRESS"
    pattern: ClassVar[str] = (
        rf"{_ENGLISH}|{_BOX}|{_ROMANCE}|{_JOINED}|{_KOREAN}|{_CODED}|{_UNIT}|{_WORD}(?: {_WORD})?, {_ZIP}|{_POSTCODE}"
    )
    gate: ClassVar[str] = (
        rf"[A-Za-zÀ-ž.'’-] (?:{_SUFFIX})(?:[^A-Za-z]|$)|Box [0-9]|Postfach|(?:Apt|Apartment|Suite|Ste)\.? ?#?[0-9]"
        r"|(?:stra(?:ß|ss)e|str\.|weg|gasse|platz|allee|ufer|damm|straat|laan|gracht|plein|kade|gatan|vägen|vej|gade|gata|veien|vegen|katu|kuja|tie"
        r"|[Ss]tr\.|Weg|Gasse|Platz|Allee|utca|u\.|út|útja|tér|körút) [0-9]"
        r"|(?:[Vv]ia(?:le)?|[Pp]iazza|[Cc]orso|[Vv]icolo|[Cc]alle|[Aa]venida|[Aa]vda\.?|[Pp]laza|[Pp]aseo|[Rr]ua|[Tt]ravessa|[Pp]raça|[Uu]l\.|ulica) [A-ZÀ-Žd-l]"
        r"|[0-9](?: bis| ter)?,? (?:[Rr]ue|[Aa]venue|[Bb]oulevard|[Pp]lace|[Cc]hemin|[Aa]llée|[Ii]mpasse|[Qq]uai|[Rr]oute|[Cc]ours) "
        r"|[Zz]ip|ZIP|[Pp]ost(?:al )? ?[Cc]ode|PLZ|우편|〒|(?:로|길|동|리|가) ?[0-9]|[A-Z][0-9][0-9A-Z]? [0-9][A-Z]{2}|, [A-Z]{2} [0-9]{5}"
    )
    before: ClassVar[tuple[str, ...]] = ("[0-9A-Za-z_À-ž가-힣]", "[0-9][.,:/-]", "[$€£#]")
    after: ClassVar[str] = r"(?:[0-9A-Za-z_À-ž]|[.:][0-9]|번(?![길지])|[시분초년월일개명원살세차회위배%]|km)"

    def valid(self, value: str) -> bool:
        """No year before a famous street (`2008 Wall Street`), and no Korean "with" or "to" before a number (`집으로 2`)."""
        return not re.fullmatch(rf"(?:19|20)[0-9]{{2}} (?:{_WORD} )+(?:{_SUFFIX})|.*으로 ?[0-9-]+", value)
