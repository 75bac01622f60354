"""What the user wants done."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal

import polars as pl

from flywheel.kinds import Signal
from flywheel.records import asked
from flywheel.texts.signs import sign

HEAD, TAIL = 300, 160
"""Characters of the beginning and the end that are looked at: what lies between is what the task is to be done on."""
_ASKING = (
    r"(?:^|[.!?:;,\n-]\s*|\b(?:please|pls|can you|could you|would you|will you|you to|help me|help|and|then|to|just|"
    r"kindly|task is to|want to|need to)\s+)(?:please\s+)?"
)
"""Where a verb is a request and no part of the matter."""
_KO_ASK = r"(?:해|하(?:여|고|라|시오|세요|기|십시오)|를? ?(?:부탁|원해))"
RULES: Final[Mapping[str, tuple[str, ...]]] = {
    "translate": (
        _ASKING + r"(?:translate|interpret)\b",
        r"\b(?:how (?:do|would) (?:you|i) say|what is .{1,40} in (?:korean|english|french|german|spanish|japanese|chinese))\b",
        r"번역|통역|(?:영어|한국어|한글|일본어|중국어|불어|독일어|스페인어)로 (?:뭐|어떻게|바꿔|옮겨|말)",
    ),
    "summarise": (
        _ASKING + r"(?:summari[sz]e|condense|recap|tl;?dr)\b",
        r"\b(?:summary|overview|gist|synopsis) of\b|\btl;dr\b|\b(?:give|write|provide)(?: me)? (?:a|the) (?:\w+ ){0,2}summary\b",
        r"요약|간추려|한 ?줄로 (?:정리|줄여)|(?:내용|글|본문|회의록)[을를]? 정리",
    ),
    "extract": (
        _ASKING + r"(?:extract|pull out|pick out|find all)\b",
        r"\b(?:identify|list|find|name) (?:all |every |each )?(?:of )?(?:the )?(?:\w+ ){1,3}(?:mentioned |listed |named )?(?:in|from) (?:the|this) (?:\w+ )?(?:text|article|passage|sentence|paragraph|email|document|review)",
        r"추출|뽑아|골라 ?내",
    ),
    "classify": (
        _ASKING
        + r"(?:classify|categori[sz]e|label (?:the|this|each)|tag (?:the|this|each)|sort (?:the|these|this) .{1,40} into)\b",
        _ASKING + r"(?:predict|detect|decide|determine|judge|identify|tell me|say) (?:if|whether)\b",
        r"\bwhich (?:category|class|label)\b|\bsentiment\b|\bis (?:the|this|it) (?:\w+ )?(?:\w+ ){0,4}(?:positive|negative|spam|toxic|sarcastic)\b",
        r"분류|판별|감정을? ?분석|긍정(?:인지|적인지)|부정(?:인지|적인지)|스팸인지",
    ),
    "code": (
        r"```|~~~",
        _ASKING + r"(?:implement|debug|refactor|code|program|compile)\b",
        r"\b(?:write|create|build|make|generate|give|show|provide|develop|design|fix|need|want)\b.{0,60}\b(?:functions?|scripts?|code|programs?|class(?:es)?|quer(?:y|ies)|regex|regular expression|algorithms?|api|unit tests?|sql|python|javascript|html|css)\b",
        r"\b(?:fix|explain|review|optimi[sz]e|improve) (?:this|the|my|following) (?:\w+ )?(?:code|function|script|bug|error|query)\b",
        r"(?:코드|함수|스크립트|프로그램|쿼리|정규식|알고리즘)[을를]? ?(?:\S+ )?(?:작성|짜|만들|구현|고쳐|설명|리팩터|리팩토)|디버그|디버깅|구현해",
    ),
    "rewrite": (
        _ASKING
        + r"(?:rewrite|rephrase|reword|paraphrase|proofread|polish|edit|shorten|simplify|correct (?:the|my|this|any))\b",
        r"\bmake (?:it|this|the \w+|my \w+) (?:more|less|shorter|longer|sound|simpler|better|concise)\b|\b(?:fix|check|correct) (?:the|my|any) (?:grammar|spelling)\b|\bimprove (?:the|my) (?:writing|wording|text|essay|style)\b",
        r"다시 ?(?:써|쓰|작성)|고쳐 ?(?:써|줘|주)|교정|다듬|바꿔 ?(?:써|쓰)|맞춤법|다른 말로|(?:정중|간결|공손)하게 (?:바꿔|고쳐|수정)",
    ),
    "write": (
        _ASKING
        + r"(?:write|draft|compose|brainstorm|come up with|make up|invent|generate|create|suggest|expand|imagine|pretend|act as)\b",
        r"\b(?:create|make|prepare|develop|design|plan|suggest|give me)\b.{0,40}\b(?:story|poem|e?-?mail|letter|essay|article|blog|post|speech|slogans?|titles?|names?|ideas?|itinerary|outline|plan|menu|recipe|lyrics|song|joke|script|resume|cover letter|questions?)\b",
        r"(?:써|적어) ?(?:줘|주|달|봐|라)|쓰시오|작성|지어 ?(?:줘|주|달)|초안|(?:계획|제목|이름|이야기|문구|아이디어|글|시|편지)[을를]? ?(?:\S+ )?(?:만들|짜|추천|제안)",
    ),
    "calculate": (
        _ASKING
        + r"(?:calculate|compute|solv(?:e|ing)|evaluate|simplify the expression|integrate|differentiate|prove)\b",
        r"\bhow (?:many|much)\b.{0,200}\?|\bwhat (?:is|are) the (?:sum|product|total|average|probability|percentage|area|volume|derivative|integral|value)\b|\bwhat is [\d(][\d\s().,+*/^x%-]*\?",
        r"계산|풀어 ?(?:줘|주|라)|몇 (?:개|명|원|시간|마리|달러|퍼센트)|합계|모두 얼마|구하시오|구해 ?줘",
    ),
    "request": (
        r"\b(?:i(?:'d| would) like|i(?: want| need|'ll have|'ll take)|can i (?:get|have|order|book|change|cancel)|could i (?:get|have|order)|let me (?:get|have))\b",
        _ASKING
        + r"(?:book|order|cancel|refund|reserve|buy|play|call|send|schedule|remind|turn (?:on|off)|set (?:a|an|the|up)|add|remove|change|update|reset|check)\b",
        r"(?:취소|예약|주문|환불|변경|신청|해지|접수|예매|배송|추가|삭제|등록)[을를]? ?(?:"
        + _KO_ASK
        + r"|할게|할래|하고 싶|하려|부탁|가능|좀)|(?:해|바꿔|보내|켜|꺼|알람|틀어) ?(?:줘|주세요|주실|달라)",
    ),
    "question": (
        r"[?？]",
        r"^\W{0,3}(?:who|whom|whose|what|what's|when|where|why|which|how|is|are|was|were|do|does|did|can|could|will|would|should|has|have|may)\b",
        r"\b(?:explain|describe|tell me|provide|give (?:me|us)|define|compare|discuss|what is|what are|how do|how to|let me know|list|name|give (?:me )?(?:an|some|three|two|five|\d+) (?:examples?|reasons?|tips|ways))\b",
        r"(?:까|나요|가요|은지|는지|인지|ㄴ가|던가|냐)[.~!\s]*$|무엇|무슨|어떻게|언제|어디|누구|어느|알려|설명|가르쳐|뭐야|뭔가|궁금|이란",
    ),
    "chat": (
        r"^\W{0,3}(?:hi|hello|hey|yo|thanks|thank you|thx|bye|goodbye|good (?:morning|evening|night|afternoon)|ok|okay|yes|no|yeah|sure|great|cool|nice|lol|haha|wow|i (?:am|feel|love|like|think|hate|was|have)|i'm|that's|it's|me too|same)\b",
        r"^[^a-z]{1,40}[가-힣][.!~^ㅋㅎㅠㅜ\s]*$",
        r"^\W{0,3}(?:안녕|고마|감사|ㅋ|ㅎ|ㅠ|네|넵|응|아니|그래|좋아|반가|잘 ?자|수고|심심|힘들|슬프|기뻐|행복|사랑|외로|배고)",
    ),
}
"""Task -> signs of it, as `sign` has them, in small letters; the first task with one is the row's."""
NOT_CODE = r"\b(?:essay|article|story|poem|blog|e-?mail|letter|speech|song)\b"
"""What is written where "write" and a word of programming meet by chance."""


class TaskType(Signal, frozen=True):
    """What the last message of the user asks for, by the words it is asked in, English or Korean.

    `translate`, `summarise`, `extract`, `classify`, `code`, `rewrite`, `write`, `calculate`, `request` (something to be done,
    such as an order), `question`, `chat`, or `other`: in this order, the first that fits. Rules, no model: a request in
    unusual words is `question`, `chat` or `other`.
    """

    use: Literal["task_type"] = "task_type"
    gives: ClassVar[Mapping[str, Any]] = {"task_type": pl.String}
    on_request: ClassVar[bool] = True
    when_read: ClassVar[bool] = True
    values: ClassVar[Mapping[str, tuple[str, ...]]] = {"task_type": (*RULES, "other")}

    def measure(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        text = asked().str.strip_chars()
        size = text.str.len_chars()
        ends = pl.concat_str([text.str.slice(0, HEAD), pl.lit("\n"), text.str.slice(-TAIL)])
        read = rows.select("id", text=pl.when(size > HEAD + TAIL).then(ends).otherwise(text))
        distinct = read.select("text").unique().with_columns(low=pl.col("text").str.to_lowercase())
        found = pl.coalesce(*[pl.when(_signs(task)).then(pl.lit(task)) for task in RULES], pl.lit("other"))
        told = distinct.select("text", task_type=found)
        return read.join(told, on="text", how="left", maintain_order="left").select("id", "task_type")


def _signs(task: str) -> pl.Expr:
    """Whether one of the signs of a task is in the text."""
    hits = [pl.col("low").str.contains(sign(rule)) for rule in RULES[task]]
    if task != "code":
        return pl.any_horizontal(hits)
    return hits[0] | (pl.any_horizontal(hits) & ~pl.col("low").str.contains(sign(NOT_CODE)))
