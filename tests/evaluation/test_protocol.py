"""The protocol on embeddings whose ranks are known."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from polyglance.errors import ConfigError, ManifestError
from polyglance.evaluation.protocol import Texts, evaluate_embeddings
from polyglance.evaluation.results import Report


def one_hot(places, size):
    return np.eye(size, dtype=np.float32)[list(places)]


def clustered(pictures, captions, noise, seed=0):
    """Unit embeddings of pictures and of noisy captions of theirs."""
    generator = np.random.default_rng(seed)
    images = generator.normal(size=(pictures, 24))
    ids = np.repeat(np.arange(pictures), captions)
    texts = images[ids] + noise * generator.normal(size=(len(ids), 24))
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (images, texts)]
    return unit[0], Texts(unit[1], ids)


def test_a_perfect_model_finds_everything():
    texts = Texts(one_hot([0, 0, 1, 2, 2], 3), ["a", "a", "b", "c", "c"])
    report = evaluate_embeddings(one_hot(range(3), 3), ["a", "b", "c"], {"en": texts}, draws=20)
    english = report.languages["en"]
    assert english.scores.rsum == 600.0
    assert english.captions_per_image == pytest.approx(5 / 3)
    assert (english.fewest, english.most) == (1, 2)
    assert english.scores.text_to_image.queries == 5
    assert english.scores.text_to_image.gallery == 3
    assert english.scores.image_to_text.queries == 3
    assert english.scores.image_to_text.gallery == 5
    assert english.scores.rsum_interval == (600.0, 600.0)


def test_pictures_without_a_caption_stay_in_the_gallery_unless_told_otherwise():
    """The caption of picture 1 prefers picture 2, which nobody described in German."""
    images = one_hot(range(3), 3)
    german = Texts(np.array([[1, 0, 0], [0, 0.6, 0.8]]), [0, 1])
    everything = evaluate_embeddings(images, range(3), {"de": german}, draws=0)
    captioned = evaluate_embeddings(images, range(3), {"de": german}, gallery="captioned", draws=0)
    assert everything.languages["de"].scores.text_to_image.metrics.recall_at_1 == 50.0
    assert everything.languages["de"].scores.text_to_image.gallery == 3
    assert captioned.languages["de"].scores.text_to_image.metrics.recall_at_1 == 100.0
    assert captioned.languages["de"].scores.text_to_image.gallery == 2
    for report in (everything, captioned):  # nobody asks for the German of picture 2
        assert report.languages["de"].scores.image_to_text.queries == 2
        assert report.languages["de"].images == 2


def test_mean_and_worst_language():
    images, english = clustered(40, 3, 0.1)
    _, czech = clustered(40, 1, 5.0)
    report = evaluate_embeddings(images, range(40), {"en": english, "cs": czech}, draws=50)
    assert report.worst == "cs"
    assert report.mean.rsum == pytest.approx(
        np.mean([result.scores.rsum for result in report.languages.values()])
    )
    assert report.as_dict()["worst"]["rsum"] == report.languages["cs"].scores.rsum
    low, high = report.mean.rsum_interval
    assert low < report.mean.rsum < high


def test_folds_are_consecutive_pictures_measured_apart():
    images, texts = clustered(25, 2, 0.8)
    report = evaluate_embeddings(images, range(25), {"en": texts}, folds=5, draws=0)
    recalls, ranks = [], []
    for fold in range(5):
        inside = (texts.image_ids >= 5 * fold) & (texts.image_ids < 5 * fold + 5)
        part = Texts(texts.embeddings[inside], texts.image_ids[inside])
        some = range(5 * fold, 5 * fold + 5)
        alone = evaluate_embeddings(images[list(some)], some, {"en": part}, draws=0)
        recalls.append(alone.languages["en"].scores.text_to_image.metrics.recall_at_1)
        ranks.append(alone.languages["en"].scores.image_to_text.metrics.mean_rank)
    found = report.languages["en"].scores
    assert found.text_to_image.metrics.recall_at_1 == pytest.approx(np.mean(recalls))
    assert found.image_to_text.metrics.mean_rank == pytest.approx(np.mean(ranks))
    assert (found.text_to_image.queries, found.text_to_image.gallery) == (50, 5)
    assert found.image_to_text.gallery == 10


def test_folds_without_a_caption_in_a_language_are_passed_over():
    images, texts = clustered(10, 1, 0.0)
    half = Texts(texts.embeddings[:5], texts.image_ids[:5])
    report = evaluate_embeddings(images, range(10), {"en": half}, folds=2, draws=10)
    assert report.languages["en"].scores.rsum == 600.0


def test_mean_rank_variance_is_the_variance_of_ranks_over_languages():
    images = one_hot(range(4), 4)
    order = np.array([[0.9, 0.8, 0.7, 0.6]])  # picture 0 first, 3 last
    english = Texts(order, [0])  # rank 1
    german = Texts(order[:, ::-1].copy(), [0])  # rank 4
    report = evaluate_embeddings(images, range(4), {"en": english, "de": german}, draws=0)
    assert report.rank_variance.text_to_image == pytest.approx(1.5**2)
    assert report.rank_variance.image_to_text == 0.0
    assert report.rank_variance.images == 1


def test_several_captions_of_a_picture_count_with_their_mean_rank():
    images = one_hot(range(4), 4)
    order = np.array([0.9, 0.8, 0.7, 0.6])
    english = Texts(np.stack([order, order[::-1]]), [0, 0])  # ranks 1 and 4: 2.5
    german = Texts(order[None], [0])  # rank 1
    report = evaluate_embeddings(images, range(4), {"en": english, "de": german}, draws=0)
    assert report.rank_variance.text_to_image == pytest.approx(0.75**2)


@pytest.mark.parametrize("tags", [["en"], ["en", "de"]])
def test_no_rank_variance_without_a_picture_in_two_languages(tags):
    images = one_hot(range(2), 2)
    captions = {tag: Texts(images[[place]], [place]) for place, tag in enumerate(tags)}
    assert evaluate_embeddings(images, range(2), captions, draws=0).rank_variance is None


def test_translations_find_each_other_in_every_ordered_pair():
    images = one_hot(range(3), 3)
    english = Texts(one_hot(range(3), 3), range(3))
    german = Texts(one_hot([0, 2], 3), [0, 1])  # the second is off
    french = Texts(one_hot([2], 3), [2])
    report = evaluate_embeddings(
        images, range(3), {"en": english}, parallel={"en": english, "de": german, "fr": french},
        draws=0,
    )  # fmt: skip
    found = report.text_to_text
    assert set(found) == {"en", "de", "fr"}
    assert set(found["en"]) == {"de", "fr"}
    assert set(found["de"]) == {"en"}  # German and French share no picture
    assert found["en"]["de"].recalls["R@1"] == 50.0
    assert (found["en"]["de"].queries, found["en"]["de"].gallery) == (2, 2)
    assert (found["de"]["en"].queries, found["de"]["en"].gallery) == (2, 3)
    assert found["fr"]["en"].recalls == {"R@1": 100.0, "R@5": 100.0, "R@10": 100.0}


def test_intervals_are_the_same_for_the_same_seed_and_absent_without_draws():
    images, texts = clustered(30, 2, 1.0)

    def measured(**how):
        return evaluate_embeddings(images, range(30), {"en": texts}, **how).as_dict()

    assert measured(draws=40, seed=1) == measured(draws=40, seed=1)
    assert measured(draws=40, seed=1) != measured(draws=40, seed=2)
    assert "ci95" not in measured(draws=0)["languages"]["en"]["text_to_image"]


def test_the_json_has_exactly_this_shape():
    images, texts = clustered(12, 5, 0.5)
    report = evaluate_embeddings(images, range(12), {"en": texts, "de": texts}, draws=30)
    shape = json.loads(json.dumps(report.as_dict()))
    direction = {"R@1", "R@5", "R@10", "MedR", "MeanR", "MRR", "nDCG@10"}
    extra = {"ci95", "queries", "gallery", "recall_curve"}
    assert shape["images"] == 12
    assert set(shape["languages"]) == {"en", "de"}
    english = shape["languages"]["en"]
    for name in ("text_to_image", "image_to_text"):
        assert set(english[name]) == direction | extra
        assert set(english[name]["ci95"]) == direction
        assert set(shape["mean"][name]) == direction | {"ci95", "recall_curve"}
    for name, (low, high) in english["text_to_image"]["ci95"].items():
        assert low <= english["text_to_image"][name] <= high, name
    assert english["captions_per_image"] == 5
    assert isinstance(english["captions_per_image"], int)
    both = (english["text_to_image"], english["image_to_text"])
    recalls = [way[f"R@{k}"] for way in both for k in (1, 5, 10)]
    assert english["rsum"] == pytest.approx(sum(recalls))
    assert shape["worst"]["language"] in {"en", "de"}
    assert set(shape["mean_rank_variance"]) == {"text_to_image", "image_to_text", "images"}
    assert shape["bootstrap"] == {"draws": 30, "seed": 0, "unit": "picture"}


def test_a_report_survives_its_file(tmp_path):
    images, texts = clustered(12, 3, 0.5)
    report = evaluate_embeddings(
        images, range(12), {"en": texts}, parallel={"en": texts, "de": texts}, draws=30
    )
    report.save(tmp_path / "report.json")
    assert Report.load(tmp_path / "report.json") == report


def test_a_file_that_is_no_report_is_named(tmp_path):
    bad = tmp_path / "bad.json"
    bad.write_text('{"images": 3}')
    with pytest.raises(ManifestError, match=r"bad\.json: not a report"):
        Report.load(bad)
    with pytest.raises(ManifestError, match="cannot be read"):
        Report.load(tmp_path / "absent.json")


def test_tensors_are_taken_as_embeddings_and_as_ids():
    images, texts = clustered(6, 2, 0.0)
    ids = torch.arange(100, 106)
    tensor = Texts(torch.from_numpy(texts.embeddings), ids[torch.from_numpy(texts.image_ids)])
    report = evaluate_embeddings(torch.from_numpy(images), ids, {"en": tensor}, draws=0)
    assert report.mean.rsum == 600.0


def test_impossible_requests_are_refused():
    images, texts = clustered(4, 1, 0.0)
    with pytest.raises(ConfigError, match="no captions"):
        evaluate_embeddings(images, range(4), {})
    with pytest.raises(ConfigError, match="4 pictures cannot be cut into 5 folds"):
        evaluate_embeddings(images, range(4), {"en": texts}, folds=5)
    with pytest.raises(ValueError, match="one id"):
        evaluate_embeddings(images, [0, 1, 2, 2], {"en": texts})
    with pytest.raises(ValueError, match="no embedding"):
        evaluate_embeddings(images, [0, 1, 2, 9], {"en": texts})
