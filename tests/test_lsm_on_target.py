"""The frozen liquid for a target: its numbers, its input, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import typer

from neurodeploy.chips import spinnaker, spinnaker_fixed
from neurodeploy.errors import RequestError, RunError
from neurodeploy.lsm import network, presentation, readout, target_application
from neurodeploy.lsm.application import Request
from neurodeploy.lsm.model import Design, build
from neurodeploy.lsm.target_application import refuse, refuse_without_backend, run_on_target
from neurodeploy.options import RunOptions
from neurodeploy.verbs.options import of_the_engine
from neurodeploy.verbs.running import run


def options(backend: str) -> RunOptions:
    return RunOptions(backend, None, "cpp", 0, 0, None, False)


def test_a_chips_step_is_the_models() -> None:
    p = {name: np.full(1, value) for name, value in network.CELL.items()}
    found = spinnaker.current_exponential(p, 1.0)
    assert found["v_from_v"] == pytest.approx(1 - 1 / 64)
    assert found["decay_exc"] == pytest.approx(np.exp(-1))
    for receptor in ("exc", "inh"):  # a weight of w lifts v by w in the step that it arrives
        assert found[f"v_from_{receptor}"] * found[f"gain_{receptor}"] / network.GAIN == pytest.approx(1.0)


def test_a_liquid_is_frozen_with_all_synapses_but_the_smallest() -> None:
    formed = build(Design(27, 20))
    formed.projections[0].weight[:3] = [0.0, 0.011, -0.012]
    liquid = network.freeze(formed)
    assert (liquid.inputs, liquid.neurons, liquid.excitatory, liquid.left_out) == (20, 27, 22, 2)
    assert liquid.synapses == sum(p.size for p in formed.projections) - 2
    assert np.all((liquid.weight < 0) == (liquid.pre >= liquid.excitatory))
    table = np.zeros((27, 27))
    table[liquid.pre, liquid.post] = liquid.weight
    onto_inhibitory = next(p for p in formed.projections if (p.pre, p.post) == (1, 2))
    assert np.array_equal(
        table[onto_inhibitory.pre_index, onto_inhibitory.post_index + 22], onto_inhibitory.weight
    )


def test_samples_follow_one_another_with_a_pause() -> None:
    trains = [(np.array([1, 1, 249]), np.array([0, 2, 0])), (np.array([5]), np.array([2]))]
    times = presentation.spike_times(trains, 4, first=600)
    assert [t.tolist() for t in times] == [[601.0, 849.0], [], [601.0, 905.0], []]
    assert network.densest(2, 8)[1].tolist() == [0.0, 3.0, 6.0]


def test_a_liquid_that_does_not_fall_silent_is_an_error() -> None:
    presentation._refuse_restless(np.array([0, 1]), np.array([100, 279]))
    with pytest.raises(RunError, match="30 ms after image 1 is over"):
        presentation._refuse_restless(np.array([0, 1]), np.array([100, 280]))


@pytest.mark.parametrize(
    ("request_", "backend", "learn_from", "said"),
    [
        (Request(features="plastic"), "brian2", "float", "--features plastic"),
        (Request(scheduler="tcp://x"), "brian2", "float", "--scheduler"),
        (Request(variant="lsm", tune_start_weight=True), "brian2", "float", "--tune-start-weight"),
        (Request(liquids=2), "brian2", "float", "--liquids 2"),
        (Request(kernel_quality=3), "loihi", "float", "--kernel-quality 3"),
        (Request(), "spinnaker", "target", "--learn-from target"),
        (Request(), "brian2", "targt", "Did you mean 'target'"),
    ],
)
def test_what_has_no_meaning_on_a_target_is_refused(request_, backend, learn_from, said) -> None:
    with pytest.raises(RequestError, match=said):
        refuse(options(backend), request_, learn_from)


@pytest.mark.parametrize("model", ["lsm", "delays"])
@pytest.mark.parametrize("option", ["--rules loihi2", "--engine runtime", "--threads 4", "--allow-losses"])
def test_options_of_a_target_need_one(model: str, option: str) -> None:
    """Nothing without a target looks at them."""
    with pytest.raises(RequestError, match=f"^{option} has no meaning without --backend") as told:
        typer.main.get_command(run)([model, *option.split()], standalone_mode=False)
    assert told.value.exit_code == 2


def test_defaults_of_a_target_s_options_are_not_taken_for_given_ones() -> None:
    assert set(of_the_engine("cpp", 0, False).values()) == {None}
    refuse_without_backend(of_the_engine("cpp", 0, False), "float")


def test_the_parts_of_the_chips_constants_are_whole_and_small_enough_for_a_double() -> None:
    p = {name: np.full(2, value) for name, value in network.CELL.items()}
    found = spinnaker_fixed.coefficients(p, 1.0)
    for name, values in found.items():
        if name not in ("v_thresh", "v_reset", "most_exc", "most_inh"):
            assert np.all(values == np.floor(values)) and np.all(np.abs(values) < 1 << 17), name
    with pytest.raises(RequestError, match="tau_syn_E"):
        spinnaker_fixed.coefficients(p | {"tau_syn_E": np.full(2, 1e-6)}, 1.0)


@pytest.mark.parametrize(
    ("backend", "more", "said"),
    [
        ("lohi", {}, "Did you mean 'loihi'"),
        ("brian2", {"hardware": "spin5"}, "no use for hardware 'spin5'"),
        ("brian2", {"rules": "spinaker"}, "Did you mean 'spinnaker'"),
    ],
)
def test_a_wrong_target_is_told_before_the_liquid_forms(backend, more, said, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("neurodeploy.lsm.target_application.prepare", None)
    with pytest.raises(RequestError, match=said):
        run_on_target(replace(options(backend), **more), Request(out=tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_board_is_asked_for_when_all_else_is_done(tmp_path, monkeypatch) -> None:
    """What takes long and can fail stands before it, so that nothing loses what the board answered."""
    done: list[str] = []
    images = SimpleNamespace(labels=np.zeros(4, np.uint8))
    dataset = SimpleNamespace(training=images, test=images, validation=1)
    ready = SimpleNamespace(dataset=dataset, drives={"test": None}, network=None, liquid=None)

    def stands_in(name: str, found: object) -> object:
        def step(*_: object, **__: object) -> object:
            done.append(name)
            return found

        return step

    def show(*given: object) -> None:
        done.append(str(given[6]))
        if given[6] == "spinnaker":
            raise RunError("The board does not answer", why="in this test", fix="none")

    monkeypatch.setattr(target_application, "_refuse_early", lambda *_: None)
    monkeypatch.setattr(target_application, "prepare", stands_in("liquid", ready))
    monkeypatch.setattr(
        target_application, "_training_counts", stands_in("counts", np.ones((4, 2), np.uint8))
    )
    monkeypatch.setattr(readout, "train", stands_in("read-out", None))
    monkeypatch.setattr(target_application, "show", show)
    with pytest.raises(RunError, match="does not answer"):
        run_on_target(options("spinnaker"), Request(out=tmp_path / "run"))
    assert done == ["liquid", "counts", "read-out", "brian2", "spinnaker"]
    assert not (tmp_path / "run").exists()
