"""The frame language: parsing, choosing and filling."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolflow_graph.errors import FrameError
from toolflow_graph.frames import Frame, Option, Slot, parse_frame

TRAIN = "Find me a train to {destination} [on {date}|that day][, leaving after {depart_after}]"


def realise(source, values, truths=()):
    return parse_frame(source).realise(lambda slot: values.get(slot.path), lambda path: path in truths)


@pytest.mark.parametrize(
    ("source", "values", "expected"),
    [
        pytest.param("Good morning.", {}, "Good morning.", id="plain text"),
        pytest.param("To {city}!", {"city": "Oslo"}, "To Oslo!", id="slot"),
        pytest.param("To {city}!", {}, None, id="slot without a value"),
        pytest.param("{address.city}", {"address.city": "Bern"}, "Bern", id="path"),
        pytest.param(TRAIN, {"destination": "Ulm"}, "Find me a train to Ulm that day", id="option left out"),
        pytest.param(
            TRAIN,
            {"destination": "Ulm", "date": "Friday", "depart_after": "nine"},
            "Find me a train to Ulm on Friday, leaving after nine",
            id="options kept",
        ),
        pytest.param("[a {x}|b {y}|c]", {"y": "2"}, "b 2", id="second alternative"),
        pytest.param("[a {x}[ and {y}]]", {"x": "1"}, "a 1", id="nested option left out"),
        pytest.param("[a {x}[ and {y}]]", {"y": "1"}, "", id="outer option left out"),
        pytest.param("[a {x}|]", {}, "", id="empty alternative"),
        pytest.param("año {año_vehiculo}", {"año_vehiculo": "2020"}, "año 2020", id="letters of any language"),
        pytest.param("", {}, "", id="empty frame"),
    ],
)
def test_realise(source, values, expected):
    assert realise(source, values) == expected


@pytest.mark.parametrize(
    ("truths", "expected"), [(("sent",), "Sent to Ann."), ((), "Not sent.")], ids=["condition holds", "does not"]
)
def test_condition_chooses_between_two(truths, expected):
    assert realise("[sent?Sent to {name}.|Not sent.]", {"name": "Ann"}, truths) == expected


def test_condition_without_second_outcome_is_dropped():
    assert realise("Done[sent?, and sent].", {}) == "Done."


def test_condition_does_not_fall_back_to_the_other_outcome():
    assert realise("[sent?Sent to {name}.|Not sent.]", {}, ("sent",)) == ""


def test_without_truths_conditions_are_dropped():
    assert parse_frame("Done[sent?, sent|, not sent].").realise(lambda _: None) == "Done."


def test_noun_of_a_number_reaches_the_filler():
    frame = parse_frame("for {nights:working night}")
    assert frame.realise(lambda slot: f"<{slot.path}|{slot.noun}>") == "for <nights|working night>"


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ("paths", {"destination", "date", "depart_after", "flexible", "price"}),
        ("fixed", {"destination"}),
        ("droppable", {"depart_after"}),
    ],
)
def test_what_a_frame_mentions(which, expected):
    assert getattr(parse_frame(TRAIN + "[flexible?, {price} at most]"), which) == expected


@pytest.mark.parametrize(
    ("available", "expected"),
    [
        (set(), {"destination"}),
        ({"date"}, {"destination", "date"}),
        ({"depart_after", "unrelated"}, {"destination", "depart_after"}),
    ],
    ids=["nothing", "a date", "more than the frame names"],
)
def test_what_is_said_when_some_slots_can_be_filled(available, expected):
    assert parse_frame(TRAIN).said(available) == expected


@pytest.mark.parametrize(
    "source",
    [
        "{city",
        "city}",
        "{}",
        "{two words}",
        "{city:}",
        "[in {city}",
        "in {city}]",
        "[[x]",
        "a|b",
        "[a|{b]",
        "[late?a|b|c]",
        "[" * 5000,
        "[" * 30 + "]" * 30,
    ],
)
def test_malformed_frames_are_refused(source):
    with pytest.raises(FrameError, match="in frame"):
        parse_frame(source)


names = st.from_regex(r"[a-z_][a-z0-9_]{0,6}(\.[a-z_]{1,4})?", fullmatch=True)
texts = st.text(st.characters(exclude_characters="{}[]|?", exclude_categories=("Cs",)), min_size=1, max_size=8)
slots = st.builds(Slot, names, st.sampled_from(["", "night", "working day"]))


def write(parts):
    """Write a frame the way a person would, from its parts."""
    return "".join(_write_part(part) for part in parts)


def _write_part(part):
    if isinstance(part, str):
        return part
    if isinstance(part, Slot):
        return "{" + part.path + (f":{part.noun}" if part.noun else "") + "}"
    condition = f"{part.condition}?" if part.condition else ""
    return f"[{condition}{'|'.join(frame.source for frame in part.alternatives)}]"


def _frames(parts):
    """Frames of such parts; neighbouring texts are one text to the parser."""
    return st.lists(parts, max_size=4).map(_merge_texts).map(lambda merged: Frame(write(merged), tuple(merged)))


def _merge_texts(parts):
    merged = []
    for part in parts:
        if isinstance(part, str) and merged and isinstance(merged[-1], str):
            merged[-1] += part
        else:
            merged.append(part)
    return merged


def _options(frames):
    several = st.lists(frames, min_size=1, max_size=3).map(tuple)
    two = st.lists(frames, min_size=1, max_size=2).map(tuple)
    return st.one_of(st.builds(Option, several), st.builds(Option, two, names))


frames = _frames(st.recursive(texts | slots, lambda parts: _options(_frames(parts)), max_leaves=12))


@given(frames)
def test_a_written_frame_is_parsed_into_its_parts(frame):
    assert parse_frame(frame.source) == frame


@given(frames, st.sets(names))
def test_what_is_said_is_what_realise_asks_for(frame, truths):
    """With `said`, a planner foretells which values a sentence will hold: it must agree with the sentence."""
    available = frame.fixed | truths
    filled = set()

    def fill(slot):
        if slot.path not in available:
            return None
        filled.add(slot.path)
        return "value"

    assert frame.realise(fill, lambda path: path in available) is not None
    said = frame.said(available)
    assert said <= filled | (set(frame.conditions()) & available)
    assert frame.fixed <= said <= frame.paths


@given(st.text(alphabet="ab{}[]|?:. \n", max_size=60))
def test_any_text_is_parsed_or_refused(source):
    with contextlib.suppress(FrameError):
        frame = parse_frame(source)
        assert frame.source == source
        assert write(frame.parts) == source
