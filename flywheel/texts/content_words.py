"""The words of a text that say what it is about: lower-cased, without endings, without those that every text has.

English words lose common endings; Korean ones their particles and verb endings, and are then taken two letters at a time, for a
compound is written in several ways. Other languages keep their words; Chinese and Japanese are taken two letters at a time.
"""

import re

import polars as pl

ENGLISH_STOP = frozenset(
    re.findall(
        r"\S+",
        """
        a able about above after again against all also am an and any anyone anything are around as ask at available
        away back be because been before being below best better between both but by came can cannot come could day
        did different do does doing done down during each either else enough even ever every everyone everything
        example explain far few find first following for found from further gave get give given go goes going good
        got great had has have having he hello help her here hers him his how however i if in instead into is it its
        itself just keep kind know last least less let like list little long look lot made make makes making many
        may maybe me mean might mine more most much must my myself need needs never new next no not nothing now of
        off often ok okay on once one only or other others our out over own part people please possible put question
        rather really right said same say see seem several shall she should show since so some someone something
        soon still such sure take tell than thank thanks that the their them then there these they thing things
        think this those though through time to together told too took try two under until up upon us use used using
        usually very want wants was way we well were what when where whether which while who whole whom whose why
        will with within without work would write yes yet you your yours
        """,
    )
)
KOREAN_STOP = frozenset(
    re.findall(
        r"\S+",
        """
        가장 각각 같은 같이 거의 것 것을 것이 계속 궁금합니다 그 그것 그냥 그래서 그런 그런데 그럼 그리고 나 나는 내 내가 너무 네 누가 다 다른 다시 대한 대해 대해서 더 더욱 도와 되나요 된다
        될 될까요 들 등 따라 때 때문에 또 또는 또한 모두 모든 무슨 무엇 무엇을 무엇이 무엇인가요 뭐 뭐가 뭐예요 및 바로 방법 방법을 방법이 보다 부탁드립니다 부탁해요 사람 새로운 설명해 설명해줘
        수 시 싶습니다 싶어 싶어요 싶은데 아니 아니라 아닌 아주 안 알고 알려 알려주세요 알려줘 어느 어디 어디서 어디에서 어떤 어떻게 언제 얼마나 없나요 없는 없이 여기 여러 오늘 와 왜 우리 위한
        위해 이 이것 이런 이렇게 인가요 있나요 있는 있는지 있습니까 있습니다 있어요 있을까요 자주 잘 저 저는 저도 저의 전에 제 제가 제일 조금 좀 좋은 좋을까요 주세요 중 중에 줘 지금 처음 추천
        추천해 하고 하나 하나요 하는 하는지 하려고 하려면 하면 한 할 할까요 함께 합니까 합니다 해 해야 해요 해주세요 했는데 후에
        """,
    )
)
KOREAN_ENDING = (
    r"(?:은|는|이|가|을|를|에|에서|에게|으로|로|와|과|도|만|의|까지|부터|보다|하나요|하나|나요|인가요|가요|습니까|습니다|ㅂ니다|하는|하려면|하면|하고|해서|해야|"
    r"해요|해줘|하세요|주세요|할까요|까요|이에요|예요|이란|란|하기|되나요|되는|되면|했는데|했어요|어요|아요|지요|죠)$"
)
ENGLISH_ENDING = r"(?:ings?|ed|es|s|ly|'s)$"
WRITTEN = r"[a-z0-9][a-z0-9'+#.-]*|[\p{Hangul}]+|[\p{Han}\p{Hiragana}\p{Katakana}]+|\p{L}[\p{L}\p{M}]*"


def content_words(texts: pl.Series) -> pl.DataFrame:
    """`at`, the place of a text, and `word`: each of its content words once."""
    return as_said(texts).select("at", "word").unique().sort("at", "word")


def as_said(texts: pl.Series) -> pl.DataFrame:
    """`at`, `word` and `said`: the content words with what stands in the text for each; Korean and Japanese ones without endings."""
    said = texts.fill_null("").str.to_lowercase().str.extract_all(WRITTEN)
    each = pl.DataFrame({"at": pl.int_range(len(texts), dtype=pl.UInt32, eager=True), "word": said})
    each = each.explode("word").drop_nulls()
    plain = pl.col("word").str.strip_chars("'.-+")
    each = each.select("at", word=plain, said=plain).filter((pl.col("word") != "") & ~pl.col("word").is_in(list(STOP)))
    latin = pl.col("word").str.contains(r"^[a-z0-9]")
    stem = pl.col("word").str.replace(ENGLISH_ENDING, "")
    english = pl.when(stem.str.len_chars() >= 3).then(stem.str.slice(0, 7)).otherwise("word")
    hangul = pl.col("word").str.contains(r"^\p{Hangul}")
    bare = pl.col("word").str.replace(KOREAN_ENDING, "")
    korean = pl.when(bare.str.len_chars() >= 2).then(bare).otherwise("word")
    stems = each.with_columns(
        word=pl.when(latin).then(english).when(hangul).then(korean).otherwise("word"),
        said=pl.when(hangul).then(korean).otherwise("said"),
    )
    packed = pl.col("word").str.contains(r"^[\p{Hangul}\p{Han}\p{Hiragana}\p{Katakana}]")
    pairs = stems.filter(packed).with_columns(
        letters=pl.col("word").str.split("").list.eval(pl.element().filter(pl.element() != ""))
    )
    pairs = pairs.explode("letters").with_columns(
        pair=pl.col("letters") + pl.col("letters").shift(-1).over("at", "word")
    )
    short = stems.filter(packed & (pl.col("word").str.len_chars() == 1))
    return pl.concat([stems.filter(~packed), short, pairs.select("at", word="pair", said="said").drop_nulls()])


STOP = ENGLISH_STOP | KOREAN_STOP
