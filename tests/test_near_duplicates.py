"""Near duplicates: planted ones are found, distinct ones are not, and what MinHash estimates is the Jaccard index."""

import random
from itertools import combinations

import pytest
from datasketch import MinHash
from hypothesis import given, settings
from hypothesis import strategies as st

from toolflow_graph.dataset import StoredDialogue
from toolflow_graph.near_duplicates import compare_dialogues, find_near_duplicates

WORDS = [f"word{number}" for number in range(400)]


def make_dialogue(*texts):
    roles = ("user", "assistant")
    return StoredDialogue(
        path=None,
        line=1,
        id="d",
        messages=[{"role": roles[place % 2], "content": text} for place, text in enumerate(texts)],
        tools=[],
    )


def make_words(rng, count=120):
    return [rng.choice(WORDS) for _ in range(count)]


def count_shingles(dialogue):
    """Shingles by another way than the module's: tuples of words, without hashes."""
    found = set()
    for message in dialogue.messages:
        words = message["content"].split()
        found |= set(zip(words, words[1:], words[2:], strict=False)) if len(words) > 2 else {tuple(words)} - {()}
    return found


def test_planted_duplicates_are_found_and_others_are_not():
    rng = random.Random(3)
    originals = [make_words(rng) for _ in range(60)]
    dialogues = [make_dialogue(" ".join(words)) for words in originals]
    planted = []
    for number in (4, 17, 40):
        changed = list(originals[number])
        changed[60] = "another"  # three shingles of 118 change
        planted.append((len(dialogues), number))
        dialogues.append(make_dialogue(" ".join(changed)))
    for number in (5, 18):  # every fifth word is another one: hardly a shingle stays
        changed = ["another" if place % 5 == 0 else word for place, word in enumerate(originals[number])]
        dialogues.append(make_dialogue(" ".join(changed)))
    assert find_near_duplicates(dialogues) == planted


def test_what_is_left_holds_no_near_duplicates():
    rng = random.Random(5)
    base = make_words(rng)
    dialogues = []
    for _ in range(40):
        words = list(base)
        for place in rng.sample(range(len(words)), rng.randint(0, 8)):
            words[place] = rng.choice(WORDS)
        dialogues.append(make_dialogue(" ".join(words)))
    repeats = find_near_duplicates(dialogues, 0.7)
    dropped = {place for place, _ in repeats}
    assert dropped
    assert not dropped & {earlier for _, earlier in repeats}
    assert all(earlier < place for place, earlier in repeats)
    left = [dialogue for place, dialogue in enumerate(dialogues) if place not in dropped]
    assert all(compare_dialogues(one, other) < 0.7 for one, other in combinations(left, 2))
    for place, earlier in repeats:
        assert compare_dialogues(dialogues[place], dialogues[earlier]) >= 0.7


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from("abcdef"), max_size=30), st.lists(st.sampled_from("abcdef"), max_size=30))
def test_jaccard_is_that_of_plain_sets(one, other):
    first, second = make_dialogue(" ".join(one), "yes"), make_dialogue(" ".join(other), "no and no and no")
    left, right = count_shingles(first), count_shingles(second)
    assert compare_dialogues(first, second) == pytest.approx(len(left & right) / len(left | right))


@pytest.mark.parametrize("changes", [1, 5, 15, 40])
def test_signatures_estimate_the_exact_jaccard_index(changes):
    rng = random.Random(changes)
    words = make_words(rng, 300)
    changed = list(words)
    for place in rng.sample(range(300), changes):
        changed[place] = "another"
    pair = [make_dialogue(" ".join(words)), make_dialogue(" ".join(changed))]
    exact = compare_dialogues(*pair)
    signatures = []
    for dialogue in pair:
        signature = MinHash(1024, seed=1, scheme="affine32")
        signature.update_batch([" ".join(shingle).encode() for shingle in count_shingles(dialogue)])
        signatures.append(signature)
    assert signatures[0].jaccard(signatures[1]) == pytest.approx(exact, abs=0.07)  # over four standard errors


def test_case_and_tool_messages_do_not_matter():
    said = {"role": "user", "content": "Book a table for four"}
    result = {"role": "tool", "tool_call_id": "1", "content": '{"table": 4}'}
    one, other = make_dialogue(), make_dialogue()
    one.messages.extend([said, result])
    other.messages.append({"role": "user", "content": "book A table, for four!"})
    assert find_near_duplicates([one, other]) == [(1, 0)]


def test_silent_dialogues_repeat_nothing():
    assert find_near_duplicates([make_dialogue(), make_dialogue(), make_dialogue("")]) == []


def test_a_duplicate_names_the_most_similar_one():
    rng = random.Random(8)
    words = make_words(rng)
    other = words[:100] + make_words(rng, 20)
    third = words[:110] + other[110:]
    dialogues = [make_dialogue(" ".join(w)) for w in (words, make_words(rng), other, third)]
    assert compare_dialogues(dialogues[3], dialogues[0]) != compare_dialogues(dialogues[3], dialogues[2])
    nearest = max((0, 2), key=lambda place: compare_dialogues(dialogues[3], dialogues[place]))
    assert find_near_duplicates(dialogues, 0.8)[-1] == (3, nearest)


@pytest.mark.parametrize("threshold", [0, -1, 1.5])
def test_threshold_out_of_range(threshold):
    with pytest.raises(ValueError, match="Jaccard"):
        find_near_duplicates([], threshold)
