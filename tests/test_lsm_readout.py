"""The read-out: features, the targets, and what it learns."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import log_softmax

from neurodeploy.errors import RequestError, ToolchainMissingError
from neurodeploy.lsm import adadelta, kernel, readout
from neurodeploy.lsm.application import Request, run_lsm

SOFT = readout.READOUTS["soft"]


def samples(count: int, neurons: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Poisson counts whose rates tell the class."""
    random = np.random.default_rng(2)
    labels = random.integers(0, 10, count)
    rates = np.random.default_rng(3).uniform(2, 12, (10, neurons))
    return random.poisson(rates[labels]).astype(np.uint8), labels


def test_features_are_shares_of_the_largest_training_share() -> None:
    x = readout.features(np.array([[1, 3], [2, 2], [0, 0]], np.uint8))
    np.testing.assert_allclose(x.unpacked(), [[1 / 3, 1], [2 / 3, 2 / 3], [0, 0]], rtol=1e-6)
    assert x.largest == 0.75
    more = readout.features(np.array([[9, 0]], np.uint8), 0.75)
    np.testing.assert_allclose(more.unpacked(), [[4 / 3, 0]], rtol=1e-6)


def test_unpacking_a_few_samples_at_a_time_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x = readout.features(samples(50)[0])
    monkeypatch.setattr(readout, "VALUES", 7 * 30)
    blocks = list(x.blocks())
    assert [rows.stop - rows.start for rows, _ in blocks] == [7] * 7 + [1]
    np.testing.assert_array_equal(np.concatenate([part for _, part in blocks]), x.unpacked())


def test_14_silence_gives_a_class_and_no_nan() -> None:
    x = readout.features(np.zeros((40, 8), np.uint8))
    assert np.all(x.unpacked() == 0) and x.largest == 1.0
    trained = readout.train(x, np.arange(40) % 10, 10, SOFT)
    assert np.all(np.isfinite(trained.weights)) and np.all(np.isfinite(trained.bias))
    assert np.ptp(trained.classes(x)) == 0


def test_the_soft_target_is_the_softmax_of_plus_and_minus_one() -> None:
    assert pytest.approx(0.4509, abs=1e-4) == readout.SOFT
    assert pytest.approx(0.0610, abs=1e-4) == (1 - readout.SOFT) / 9


@pytest.mark.parametrize("name", readout.READOUTS)
def test_it_learns(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adadelta, "EPOCHS", 300)
    counts, labels = samples(6000)
    chosen = readout.READOUTS[name]
    if isinstance(chosen, kernel.KernelRecipe):
        chosen = replace(chosen, centres=400, centres_tried=200)
    x = readout.features(counts[:5000])
    trained = readout.train(x, labels[:5000], 1000, chosen)
    said = trained.classes(readout.features(counts[5000:], x.largest))
    assert np.mean(said == labels[5000:]) > 0.95
    if name in ("soft", "adadelta", "hard"):  # the others learn again, from these samples too
        assert trained.validation == np.mean(trained.classes(x[4000:]) == labels[4000:5000])


def test_it_finds_the_minimum(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a penalty that makes the minimum sharp: no step to a side lowers the loss, in double precision."""
    monkeypatch.setattr(readout, "ROWS", 64)
    monkeypatch.setattr(readout, "VALUES", 100)
    counts, labels = samples(500, 6)
    chosen = readout.Recipe(0.9, 0.01)
    features = readout.features(counts)
    trained = readout.train(features, labels, 100, chosen)

    targets = np.full((400, 10), 0.1 / 9)
    targets[np.arange(400), labels[:400]] = 0.9
    x = features.unpacked()[:400].astype(float)

    def loss(weights: np.ndarray, bias: np.ndarray) -> float:
        cross = -np.sum(targets * log_softmax(x @ weights + bias, axis=1)) / 400
        return cross + 0.005 * np.sum(weights**2)

    # the best iteration for the validation samples need not be the last: it is close, not equal
    w, b = trained.weights.astype(float), trained.bias.astype(float)
    random = np.random.default_rng(0)
    for _ in range(20):
        step = random.normal(size=w.shape), random.normal(size=b.shape)
        assert loss(w, b) < loss(w + 0.3 * step[0], b + 0.3 * step[1])


def test_adadelta_steps_as_its_equations_say() -> None:
    one = adadelta.Adadelta(1)
    gradients, steps, value = 0.0, 0.0, 0.0
    for gradient in (0.3, -0.1, 0.2):
        gradients = 0.95 * gradients + 0.05 * gradient**2
        step = gradient * np.sqrt((steps + 1e-8) / (gradients + 1e-8))
        steps = 0.95 * steps + 0.05 * step**2
        value -= 0.1 * step
        one.learn(np.array([gradient], np.float32))
    assert one.value[0] == pytest.approx(value, rel=1e-4)


def test_the_authors_divide_each_batch_by_its_own_largest_share() -> None:
    """250 samples a batch for a small liquid, the last of 2; a batch without a spike stays at 0."""
    counts = np.zeros((502, 2), np.uint8)
    counts[:250] = 1, 3
    counts[:9] = 1, 1
    counts[500:] = [[1, 1], [3, 2]]
    x = adadelta.by_batches(readout.features(counts)).unpacked()
    np.testing.assert_allclose(x[[0, 9]], [[2 / 3, 2 / 3], [1 / 3, 1]], rtol=1e-6)
    assert np.all(x[250:500] == 0)
    np.testing.assert_allclose(x[500:], [[5 / 6, 5 / 6], [1, 2 / 3]], rtol=1e-6)
    assert (adadelta.batch_size(64), adadelta.batch_size(4096), adadelta.batch_size(8000)) == (250, 250, 50)


def test_the_authors_training_does_not_see_how_large_a_batch_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Learned from, validated or classified: the features of a whole batch may be of any size."""
    monkeypatch.setattr(adadelta, "EPOCHS", 20)
    counts, labels = samples(600)
    x = readout.features(counts)
    factors = x.factors.copy()
    factors[250:400] *= 4  # the second batch that is learned from
    factors[400:] *= 2  # the one that validates
    scaled = replace(x, factors=factors)
    one, two = (readout.train(each, labels, 200, readout.READOUTS["adadelta"]) for each in (x, scaled))
    np.testing.assert_array_equal(one.weights, two.weights)
    assert (one.validation, one.iterations) == (two.validation, two.iterations)
    one.bias = -np.mean(
        x.unpacked() @ one.weights, axis=0
    )  # a scale decides, where no class is ahead by its bias
    said = one.classes(x[400:])
    np.testing.assert_array_equal(said, one.classes(scaled[400:]))
    plain = replace(one, recipe=SOFT)
    assert np.any(plain.classes(x[400:]) != plain.classes(scaled[400:]))


@pytest.mark.parametrize("stopped_at", [3, 23, 40])
def test_the_authors_training_goes_on_where_it_was_stopped(
    stopped_at: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """To the same weights, bit for bit; a command that is given again when all is done learns nothing."""
    monkeypatch.setenv("NEURODEPLOY_CACHE", str(tmp_path))
    monkeypatch.setattr(adadelta, "EPOCHS", 40)
    monkeypatch.setattr(adadelta, "KEPT_EVERY", 10)
    counts, labels = samples(600)
    x = readout.features(counts)

    def stop(what: str, done: int, all_of_it: int) -> None:
        if done == stopped_at:
            raise KeyboardInterrupt

    whole = readout.train(x, labels, 200, readout.READOUTS["adadelta"])
    assert whole.resumed == 0 and not list(tmp_path.iterdir())
    with pytest.raises(KeyboardInterrupt):
        readout.train(x, labels, 200, readout.READOUTS["adadelta"], stop, resume=True)
    for resumed in (stopped_at // 10 * 10 if stopped_at < 40 else 30, 40):
        again = readout.train(x, labels, 200, readout.READOUTS["adadelta"], resume=True)
        assert again.resumed == resumed
        assert (again.validation, again.iterations) == (whole.validation, whole.iterations)
        np.testing.assert_array_equal(again.weights, whole.weights)
        np.testing.assert_array_equal(again.bias, whole.bias)
    (file,) = tmp_path.glob("lsm/*/best.npz")
    file.unlink()
    assert readout.train(x, labels, 200, readout.READOUTS["adadelta"], resume=True).resumed == 0
    others = np.roll(labels, 1)
    assert readout.train(x, others, 200, readout.READOUTS["adadelta"], resume=True).resumed == 0
    monkeypatch.setattr(readout, "LOOK_EVERY", 7)  # other weights may be the best
    assert readout.train(x, labels, 200, readout.READOUTS["adadelta"], resume=True).resumed == 0


def test_the_authors_training_ends_a_while_after_its_best() -> None:
    counts, labels = samples(600)
    seen = []
    few = replace(readout.READOUTS["adadelta"], patience=20)
    found = readout.train(readout.features(counts), labels, 200, few, lambda *of: seen.append(of[1:]))
    assert seen[-2:] == [(found.iterations + 20, adadelta.EPOCHS), (1, 1)]


def test_nothing_of_the_validation_samples_is_learned() -> None:
    counts, labels = samples(600)
    one = readout.train(readout.features(counts), labels, 200, SOFT)
    other = np.concatenate([counts[:400], counts[400:][::-1]])
    others = np.concatenate([labels[:400], labels[400:][::-1]])
    two = readout.train(readout.features(other), others, 200, SOFT)
    np.testing.assert_array_equal(one.weights, two.weights)


def test_learned_again_from_the_validation_samples_too() -> None:
    """In as many iterations, whatever is best on validation; what it says of validation is from before."""
    counts, labels = samples(600)
    x = readout.features(counts)
    one, two = (readout.train(x, labels, 200, replace(SOFT, again=again)) for again in (False, True))
    assert (two.validation, two.iterations) == (one.validation, one.iterations)
    seen = {}
    readout.descend(
        x, SOFT.targets(labels), SOFT.penalty, one.iterations, lambda k, w, b: seen.update({k: w}) is None
    )
    np.testing.assert_array_equal(two.weights, seen[one.iterations])
    assert np.abs(two.weights - one.weights).max() > 0


def test_the_best_on_validation_is_chosen_and_learned_again() -> None:
    """Under a huge penalty nothing is learned: of two recipes the other one is taken, with its roots."""
    counts, labels = samples(600)
    x = readout.features(counts)
    idle, keen = readout.Recipe(1.0, 1e4), readout.Recipe(0.9, 1e-6, roots=True)
    one = readout.train(x, labels, 200, readout.Recipe(1.0, 0.0, again=True, among=(idle, keen)))
    alone = readout.train(x, labels, 200, replace(keen, again=True))
    assert one.recipe == keen
    np.testing.assert_array_equal(one.weights, alone.weights)
    np.testing.assert_array_equal(
        one.classes(x), np.argmax(np.sqrt(x.unpacked()) @ one.weights + one.bias, axis=1)
    )
    assert [(t["target"], t["penalty"], t["features"]) for t in one.tried] == [
        (1.0, 1e4, "shares"),
        (0.9, 1e-6, "roots of shares"),
    ]
    assert one.validation == one.tried[1]["validation_accuracy"] > one.tried[0]["validation_accuracy"]


def test_a_recipe_far_behind_ends_early() -> None:
    counts, labels = samples(600)
    x, keen = readout.features(counts), readout.Recipe(0.9, 1e-6)
    last = {}
    for to_beat in (0.0, 1.1):
        looks: list[int] = []
        found = readout.stop_at_best(
            x, labels, 200, keen, to_beat, lambda k, most, looks=looks: looks.append(k)
        )
        last[to_beat] = looks[-1]
    assert last[1.1] == readout.BEHIND_AFTER < last[0.0]
    near = found.validation + readout.BEHIND / 2
    again: list[int] = []
    readout.stop_at_best(x, labels, 200, keen, near, lambda k, most: again.append(k))
    assert again[-1] == last[0.0]


def test_candidates_differ() -> None:
    """Every one of the table differs in what it is trained towards."""
    kinds = [(one.target, one.penalty, one.roots) for one in readout.CANDIDATES]
    assert len(set(kinds)) == len(kinds) > 1
    assert not any(one.again or one.among or one.adadelta for one in readout.CANDIDATES)


def test_what_is_not_installed_is_told_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    with pytest.raises(ToolchainMissingError, match=r"neurodeploy\[lsm\]"):
        run_lsm(Request(out=tmp_path / "run"))
    assert list(tmp_path.iterdir()) == []


def test_there_is_no_other_readout() -> None:
    with pytest.raises(RequestError, match="Did you mean 'soft'"):
        readout.recipe("sotf")


def test_the_kernel_read_out_solves_its_equations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside scikit-learn's ridge regression on likenesses written out: the same decisions, whatever the size of a block."""
    from sklearn.linear_model import Ridge

    monkeypatch.setattr(kernel, "BLOCK", 7 * 500)
    counts, labels = samples(500, 6)
    x = readout.features(counts)
    recipe = kernel.KernelRecipe(roots=(True,), steepness=(1.0,), penalties=(1e-3,))
    one = readout.train(x, labels, 100, recipe)
    assert isinstance(one, kernel.KernelTrained)
    assert [(t["centres"], t["features"]) for t in one.tried] == [(400, "roots of shares")] * 2

    shown = np.sqrt(x.unpacked().astype(float))
    squared = ((shown[:, None] - shown[None, :400]) ** 2).sum(axis=2)
    likeness = np.exp(-squared / shown[:400].var(axis=0).sum())
    wanted = np.eye(10)[labels] - 0.1

    def ridge(learned: int) -> Ridge:
        return Ridge(alpha=1e-3 * learned, fit_intercept=False).fit(likeness[:learned], wanted[:learned])

    said = np.argmax(ridge(400).predict(likeness[400:]), axis=1)
    assert one.validation == np.mean(said == labels[400:])
    again = ridge(500)
    np.testing.assert_allclose(one.coefficients, again.coef_.T, atol=1e-4)
    np.testing.assert_array_equal(one.classes(x), np.argmax(again.predict(likeness), axis=1))


def test_the_kernel_read_out_takes_what_is_best_on_validation() -> None:
    """Of likenesses that vanish at any distance nothing is learned, nor under a huge penalty."""
    counts, labels = samples(600)
    recipe = kernel.KernelRecipe(50, 40, (False,), (1e6, 1.0), (1e6, 1e-4))
    seen: list[tuple[str, int, int]] = []
    one = readout.train(readout.features(counts), labels, 200, recipe, lambda *told: seen.append(told))
    assert seen[-1] == ("read-out", 400 * 40 + 600 * 50, 400 * 40 + 600 * 50)
    assert isinstance(one, kernel.KernelTrained)
    assert (one.steepness, one.penalty) == (1.0, 1e-4)
    assert [(t["centres"], t["steepness"], t["penalty"]) for t in one.tried] == [
        (40, 1e6, 1e6),
        (40, 1e6, 1e-4),
        (40, 1.0, 1e6),
        (40, 1.0, 1e-4),
        (50, 1.0, 1e6),
        (50, 1.0, 1e-4),
    ]
    assert one.validation == one.tried[-1]["validation_accuracy"] > 0.9


def test_14_silence_has_likenesses_without_nan() -> None:
    x = readout.features(np.zeros((40, 8), np.uint8))
    one = readout.train(x, np.arange(40) % 10, 10, readout.recipe("kernel"))
    assert isinstance(one, kernel.KernelTrained) and np.all(np.isfinite(one.coefficients))
    assert np.ptp(one.classes(x)) == 0
