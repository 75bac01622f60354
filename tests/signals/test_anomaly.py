import base64

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from flywheel.signals.anomaly import MARKS, Anomaly
from tests.build import chat, rows

ASKED = [
    "How do I reset my {}?",
    "Where can I find the {} settings?",
    "My {} does not start, what can I do?",
    "Please explain what a {} is for.",
    "Is there a manual for the {}?",
]
TOLD = [
    "Hold the button of the {} for ten seconds.",
    "Open the menu and choose {}.",
    "Unplug the {}, wait a minute and plug it in again.",
    "A {} connects your devices.",
    "You find it on the page about the {}.",
]
THINGS = ["router", "printer", "camera", "phone", "modem", "speaker", "keyboard", "monitor", "tablet", "thermostat"]
ASKED_KO = ["{}를 초기화하는 방법을 알려 주세요", "{} 설정은 어디에 있나요?", "{}가 켜지지 않아요. 어떻게 하죠?"]
TOLD_KO = ["{}의 버튼을 십 초 동안 누르세요.", "메뉴를 열고 {}를 고르세요.", "{}의 전원을 뽑고 다시 꽂아 주세요."]
THINGS_KO = ["공유기", "프린터", "카메라", "전화기", "모니터", "스피커"]
BLOB = base64.b64encode(np.random.default_rng(1).bytes(600)).decode()


def ordinary(n):
    random = np.random.default_rng(3)
    pick = lambda texts: texts[random.integers(len(texts))]  # noqa: E731
    return [(pick(ASKED).format(pick(THINGS)), pick(TOLD).format(pick(THINGS))) for _ in range(n)]


def ordinary_korean(n):
    random = np.random.default_rng(4)
    pick = lambda texts: texts[random.integers(len(texts))]  # noqa: E731
    return [(pick(ASKED_KO).format(pick(THINGS_KO)), pick(TOLD_KO).format(pick(THINGS_KO))) for _ in range(n)]


def frame_of(said):
    one = chat("user: x", "assistant: y")
    made = [chat(f"user: {a}", f"assistant: {b}", id=f"s:{n:04d}") for n, (a, b) in enumerate(said)]
    return rows(*made) if made else one.clear()


def scored(said, signal=None):
    signal = signal or Anomaly()
    return signal.relate(signal.sketch(frame_of(said).lazy())).collect().sort("id")


@pytest.mark.parametrize("place", ["reply", "input", "within"])
def test_row_108_one_base64_blob_in_500_is_first(place):
    said = ordinary(499)
    blob = {
        "reply": ("Send the file", BLOB),
        "input": (BLOB, "I cannot read that."),
        "within": ("Look", f"Here it is: {BLOB} There."),
    }
    said.insert(250, blob[place])
    found = scored(said).sort("anomaly_score", descending=True)
    assert found["id"][0] == "s:0250"
    assert found["anomaly_score"][0] > 1.5 * found["anomaly_score"][1]


def test_row_133_each_outlier_says_why_and_never_what():
    said = ordinary(200)
    said += [
        ("Count", "1234567890 " * 20),
        ("Shout", "HOLD THE BUTTON OF THE ROUTER FOR TEN SECONDS NOW"),
        ("Again", "again and " * 40),
    ]
    found = scored(said)
    assert set(found["anomaly_why"]) <= {told for _, *words in MARKS.values() for told in words}
    assert found["anomaly_why"][200] == "far more of it is digits"
    assert found["anomaly_why"][201] == "far more of it is capital letters"
    assert found["anomaly_why"][202] == "it repeats itself far more"
    assert found.sort("anomaly_score", descending=True)["id"][:3].sort().to_list() == ["s:0200", "s:0201", "s:0202"]


def test_korean_rows_are_held_against_korean_rows():
    """A language that few rows are in is no anomaly."""
    said = ordinary(300) + ordinary_korean(40)
    found = scored(said)
    english, korean = found["anomaly_score"][:300], found["anomaly_score"][300:]
    assert korean.median() < english.quantile(0.99)
    blob = scored([*said, ("이것을 읽어 주세요", "ㅋㅋㅋㅋ" * 60)]).sort("anomaly_score", descending=True)
    assert blob["id"][0] == "s:0340"


def test_too_few_to_be_unlike_are_not_judged():
    said = [*ordinary(30), *ordinary_korean(5), ("", "")]
    found = scored(said)
    assert found["anomaly_score"].is_null().to_list() == [False] * 30 + [True] * 6
    assert scored(said, Anomaly(min_rows=5))["anomaly_score"].null_count() == 1


@pytest.mark.parametrize("signal", [Anomaly(), Anomaly(by_meaning=True)])
def test_order_and_batches_do_not_matter(signal):
    frame = frame_of([*ordinary(60), ("Send the file", BLOB), *ordinary_korean(25), ("", "")])
    whole = signal.relate(signal.sketch(frame.lazy())).collect().sort("id")
    moved = frame.sample(fraction=1.0, shuffle=True, seed=2)
    cut = [signal.sketch(moved[i : i + 7].lazy()).collect() for i in range(0, frame.height, 7)]
    assert signal.relate(pl.concat(cut).lazy()).collect().sort("id").equals(whole)


def test_the_distance_of_meanings_counts_where_it_is_asked():
    said = [*ordinary(80), ("Which herbs go well with roast lamb?", "Rosemary, thyme and a little mint.")]
    plain, meant = scored(said), scored(said, Anomaly(by_meaning=True))
    assert (meant["anomaly_score"] >= plain["anomaly_score"]).all()
    assert meant["anomaly_score"][80] > plain["anomaly_score"][80]


def test_a_model_that_would_not_be_asked_is_refused():
    with pytest.raises(ValidationError, match="by_meaning: a model is named"):
        Anomaly(model="minilm")


def test_no_rows():
    assert scored([]).height == 0
