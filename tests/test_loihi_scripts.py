"""The nasty cases by name, as PyNN scripts: what the lowering tells the user, in messages and in the report's rows."""

from __future__ import annotations

import loihi_scripts
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from loihi_campaign import STEPS, looseness
from loihi_scripts import array_source, from_list, neurons
from pynn_networks import pynn_networks

import neurodeploy.pynn as sim
from neurodeploy.backends.loihi.lower import lower
from neurodeploy.backends.loihi.program import LoihiProgram
from neurodeploy.errors import NeurodeployError, RequestError


def lowered(build, time_step: float = 1.0, allow_losses: bool = False, chip: str = "loihi2") -> LoihiProgram:
    sim.setup(timestep=time_step, backend="brian2", rules=chip)
    build()
    return lower(sim.capture(), chip, allow_losses)


def told(build, *words: str, **more) -> NeurodeployError:
    """The error of lowering a script, which has all of `words`."""
    with pytest.raises(NeurodeployError) as caught:
        lowered(build, **more)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    return caught.value


def says(program: LoihiProgram, *words: str) -> bool:
    return any(all(word in change for word in words) for change in program.changes)


# ------------------------------------------------------------------------------- the nasty cases


def test_weights_1000_3_and_minus_1_stay_what_they_are() -> None:
    program = lowered(loihi_scripts.thousand_three_and_minus_one)
    row = program.report.projections[0]
    assert (row.label, row.synapses, row.clipped, row.zeroed) == ("odd", 6, 0, 0)
    assert (row.distinct, row.distinct_before) == (3, 3)
    assert row.largest_error < 0.03
    assert len(row.groups) == 3
    assert sorted(sign for sign, _, _ in row.groups) == ["excitatory", "excitatory", "inhibitory"]
    assert says(program, "Projection 'odd': split by sign, 4 and 2 of 6 synapses")
    assert says(program, "Projection 'odd': split by size, 2 and 2 synapses")
    assert says(program, "6 weights", "projection 'odd'), 0 clipped, 0 zeroed")


def test_a_weight_of_one_hundred_thousandth_beside_1000_is_named_with_the_smallest_that_is_not_lost() -> None:
    error = told(
        loihi_scripts.tiny_beside_thousand,
        "Projection 'tiny': 1 of 2 weights are 0 on the chip, the smallest 1e-05 of synapse 1",
        "the smallest that is not is 0.0153",
        "largest weight sets",
        "allow_losses=True",
    )
    assert error.exit_code == 2
    program = lowered(loihi_scripts.tiny_beside_thousand, allow_losses=True)
    row = program.report.projections[0]
    assert (row.zeroed, row.largest_error, row.distinct) == (1, 1.0, 2)
    assert says(program, "lost: Projection 'tiny': 1 of 2 weights are 0")
    assert says(program, "off by 100 % at most (projection 'tiny'), 0 clipped, 1 zeroed")


def test_a_delay_of_63_needs_no_relay_and_one_of_500_seven() -> None:
    program = lowered(loihi_scripts.delays_of_63_and_500)
    assert says(program, "'source': delays beyond 63 ms through 7 relay neurons, of 1 of its 2 neurons")
    assert sum(group.size for group in program.groups[2:]) == 7
    assert program.report.projections[0].synapses == 2


def test_a_delay_of_500_at_a_tenth_of_a_millisecond_is_5000_steps() -> None:
    program = lowered(loihi_scripts.delays_of_63_and_500, time_step=0.1)
    assert says(program, "delays beyond 6.3 ms through 88 relay neurons, of 2 of its 2 neurons")  # 9 and 79


def test_time_constants_below_the_time_step_run_and_are_told() -> None:
    program = lowered(loihi_scripts.time_constants_below_the_step)
    cells = program.groups[1]
    assert cells.dv[0] == round(4096 * (1 - np.exp(-1 / 0.3)))
    assert cells.du[0, 0] == 4095  # nothing is left of a current after a step
    off = {row.parameter: row.largest_relative_error for row in program.report.parameters}
    assert off["tau_syn_E"] < 1e-8
    assert off["tau_m"] < 1e-3
    assert program.report.populations[0].error.total < 0.1


def test_5000_synapses_into_one_neuron_lose_bits_to_their_sum_which_is_told() -> None:
    program = lowered(loihi_scripts.five_thousand_synapses)
    population, projection = program.report.populations[0], program.report.projections[0]
    assert population.reason == "worst sum of inputs"
    assert population.limits["worst sum of inputs"] < population.limits["largest weight"]
    assert (projection.clipped, projection.zeroed) == (0, 0)
    assert projection.distinct < 20 < projection.distinct_before == 5000
    assert 0.05 < projection.largest_error < 0.5
    assert says(program, "'cells': up to 32 presynaptic neurons share an axon")


def test_a_matrix_that_fits_on_two_cores_alone_is_cut_in_two() -> None:
    program = lowered(loihi_scripts.matrix_for_two_cores)
    assert says(program, "Population 'wide': 300 neurons over 2 cores, because of its memory")
    assert len(program.cores) == 2
    assert [len(core.runs) for core in program.cores] == [1, 1]


# ------------------------------------------------------------------------------- what is lost or refused


def test_a_threshold_that_is_nothing_beside_a_huge_weight_is_a_loss() -> None:
    def build() -> None:
        from_list(array_source([1.0]), neurons(), [(0, 0, 1e7, 1.0)], "huge")

    told(
        build,
        "Population 'cells': the v_thresh of neuron 0 is",
        "15 mV in the model (1 of 1 neurons)",
        "scale that its largest weight sets",
    )
    assert says(lowered(build, allow_losses=True), "lost: Population 'cells': the v_thresh")


@pytest.mark.parametrize("weight", [1e300, 1e-320, 5e-324])
@pytest.mark.filterwarnings("error")
def test_the_largest_and_smallest_numbers_there_are_get_an_answer(weight: float) -> None:
    def build() -> None:
        from_list(array_source([1.0]), neurons(), [(0, 0, weight, 1.0)], "extreme")

    told(build, "1 of 1")
    assert says(lowered(build, allow_losses=True), "lost: ")


def test_several_losses_are_told_at_once() -> None:
    def build() -> None:
        pre, post = array_source([1.0]), neurons(tau_m=1e6, tau_syn_E=1e6)
        for number in range(5):
            from_list(pre, post, [(0, 0, 1000.0, 1.0), (0, 0, 1e-9, 1.0)], f"tiny {number}")

    error = told(
        build, "tau_m 1e+06 ms", "also lost: Population 'cells': tau_syn_E", "also lost: Projection 'tiny"
    )
    assert str(error).count("also lost") == 3
    assert "more" in str(error)


def test_an_initial_current_of_which_nothing_is_left_is_a_loss() -> None:
    def build() -> None:
        neurons(tau_syn_E=0.01).initialize(isyn_exc=0.4)

    told(build, "'cells': the initial isyn_exc of neuron 0, 0.4 nA, has no effect", "tau_syn_E")
    assert says(lowered(build, allow_losses=True), "lost: Population 'cells': the initial isyn_exc")


def test_a_direct_current_without_an_end_is_a_bias_and_one_with_an_end_is_refused() -> None:
    def build(**given) -> None:
        sim.DCSource(amplitude=0.5, **given).inject_into(neurons(2)[0:1])

    program = lowered(build)
    assert program.groups[0].bias_mant[0] > 0 == program.groups[0].bias_mant[1]
    told(lambda: build(stop=50.0), "changes to 0 nA at 50 ms", "'ideal'", "between two runs")
    told(lambda: build(start=20.0), "changes to 0.5 nA at 20 ms")


def test_steps_of_a_current_are_refused() -> None:
    def build() -> None:
        sim.StepCurrentSource(times=[0.0, 30.0], amplitudes=[0.5, 1.5]).inject_into(neurons())

    told(build, "Population 'cells': an injected current changes to 1.5 nA at 30 ms")


def test_a_voltage_that_inhibition_can_press_beyond_24_bits_is_told() -> None:
    def build(weight: float) -> None:
        pre = sim.Population(100, sim.SpikeSourcePoisson(rate=50.0), label="source")
        rows = [(k, 0, weight, 1.0) for k in range(100)] + [(0, 0, 0.02, 1.0)]
        from_list(pre, neurons(v_thresh=-64.9), rows, "down")

    program = lowered(lambda: build(-3.0))
    row = program.report.populations[0]
    assert row.deepest_inhibition < row.lowest_voltage
    assert says(
        program,
        f"Voltages of 'cells' are cut below {row.lowest_voltage:,.0f} mV; all its inhibition together",
    )
    assert not says(lowered(lambda: build(-0.001)), "are cut below")


def test_poisson_spikes_that_fall_together_are_told() -> None:
    def build() -> None:
        sim.Population(2, sim.SpikeSourcePoisson(rate=[400.0, 100.0]), label="noise")

    assert says(lowered(build), "'noise': 15 % of its Poisson spikes", "at 400 Hz a neuron sends 329.7 Hz")


def test_cells_of_other_chips_are_refused_with_the_rules_that_have_them() -> None:
    for cell in ("IF_cond_exp", "IF_curr_alpha", "Izhikevich"):
        told(
            lambda cell=cell: sim.Population(2, getattr(sim, cell)(), label="odd ones"),
            f"Population 'odd ones': Loihi has no cell type {cell}",
            "IF_curr_exp or IF_curr_delta",
            "brian2 backend with the rules 'ideal' or 'spinnaker'",
        )


def plastic(weight=0.5, w_min=0.0, w_max=1.0, A_plus=0.1, A_minus=0.1, tau=20.0, delay=1.0, kind="Additive"):
    rule = sim.SpikePairRule(tau_plus=tau, tau_minus=tau, A_plus=A_plus, A_minus=A_minus)
    dependence = getattr(sim, f"{kind}WeightDependence")(w_min=w_min, w_max=w_max)
    synapse = sim.STDPMechanism(rule, dependence, weight=weight, delay=delay)
    sim.Projection(array_source([1.0]), neurons(), sim.AllToAllConnector(), synapse, label="learns")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"w_max": 0.0, "weight": 0.0}, ["from 0 to 0", "w_max above 0"]),
        ({"w_min": 0.2}, ["from 0.2 to 1", "w_min = 0"]),
        ({"A_plus": -0.1}, ["A_plus is -0.1", "at least 0"]),
        ({"A_plus": 0.0, "A_minus": 0.0}, ["changes nothing"]),
        ({"A_plus": 1e-6}, ["A_plus 1e-06", "of 255 units", "larger amplitude"]),
        ({"kind": "Multiplicative"}, ["multiplicative", "AdditiveWeightDependence"]),
        ({"delay": 3.0}, ["up to 3 steps", "one time step"]),
        ({"weight": 2.0}, ["weight 2 of synapse 0 is outside 0 to w_max = 1"]),
    ],
)
def test_rules_the_learning_engine_has_not_are_refused_with_the_reason(given: dict, words: list[str]) -> None:
    error = told(lambda: plastic(**given), "'learns'", *words)
    assert isinstance(error, RequestError)
    assert error.fix


# ------------------------------------------------------------------------------- whatever a user writes


@given(pynn_networks(STEPS))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.filterwarnings("error")
def test_any_script_runs_without_overflow_and_within_its_predicted_error(network) -> None:
    """Where something is lost, as the message says, a user may keep it; where v is cut, the report says how deep it may go."""
    looseness(network)
