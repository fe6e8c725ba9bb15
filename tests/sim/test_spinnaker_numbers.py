"""What the machine's numbers and sPyNNaker's grid do to a model: told where it changes, refused where it vanishes."""

from __future__ import annotations

import numpy as np
import pytest
from machine import HOST, needs_machine

from neurodeploy import pynn as sim
from neurodeploy.chips.spinnaker_core import simulate
from neurodeploy.errors import RequestError
from neurodeploy.models.pynn import simulator

pytestmark = needs_machine

MACHINE = {"backend": "spinnaker"} | ({"host": HOST} if HOST else {})
ENGINE = {"engine": "runtime"}
MAPPED = {"backend": "spinnaker", "hardware": "spinnaker-virtual"}


def trains(population) -> list[list[float]]:
    return [
        [round(float(t), 6) for t in train]
        for train in population.get_data("spikes").segments[-1].spiketrains
    ]


def voltage(population) -> np.ndarray:
    return np.asarray(population.get_data("v").segments[-1].analogsignals[-1])


def pair(delay: float, w_max: float = 8.0):
    return sim.STDPMechanism(
        timing_dependence=sim.SpikePairRule(tau_plus=10.0, tau_minus=12.0, A_plus=0.25, A_minus=0.125),
        weight_dependence=sim.AdditiveWeightDependence(w_min=0.0, w_max=w_max),
        weight=6.0,
        delay=delay,
        dendritic_delay_fraction=1.0,
    )


@pytest.mark.parametrize("pattern", ["all-to-all", "list"])
def test_plastic_delays_of_a_power_of_two_arrive(pattern: str) -> None:
    delays = [1.0, 2.0, 4.0, 8.0, 16.0, 3.0]

    def spikes(**options):
        sim.setup(timestep=1.0, rules="spinnaker", **options)
        source = sim.Population(2, sim.SpikeSourceArray(spike_times=[[5.0, 45.0], [50.0]]))
        cells = []
        for delay in delays:
            target = sim.Population(2, sim.IF_curr_exp(tau_refrac=2.0), label=f"delay {delay:g}")
            rows = [(i, j) if pattern == "list" else None for i in range(2) for j in range(2)]
            connector = sim.FromListConnector(rows[:3]) if pattern == "list" else sim.AllToAllConnector()
            sim.Projection(source, target, connector, pair(delay))
            target.record("spikes")
            cells.append(target)
        sim.run(100.0)
        result = [trains(target) for target in cells]
        sim.end()
        return result

    machine = spikes(**MACHINE)
    assert machine == spikes(**ENGINE)
    arrivals = [target[0][0] for target in machine]
    assert [arrival - arrivals[0] for arrival in arrivals] == [delay - 1.0 for delay in delays]


def alpha(tau: float, **options):
    sim.setup(timestep=1.0, rules="spinnaker", **options)
    source = sim.Population(1, sim.SpikeSourceArray(spike_times=[5.0, 15.0]), label="source")
    cells = sim.Population(1, sim.IF_curr_alpha(tau_syn_E=tau, tau_refrac=2.0), label="cells")
    sim.Projection(source, cells, sim.OneToOneConnector(), sim.StaticSynapse(weight=40.0, delay=1.0))
    cells.record(["spikes", "v"])
    said = simulate(sim.capture(), 60)
    sim.run(60.0)
    result = trains(cells), voltage(cells), sim.get_report().changes, said
    sim.end()
    return result


def test_alpha_synapses_drive_a_cell_as_in_the_whole_number_model() -> None:
    spikes, v, _, said = alpha(5.0, **MACHINE)
    assert spikes == [said.spikes[1][0].tolist()] and len(spikes[0]) > 1
    np.testing.assert_array_equal(v, said.samples[1, "v"])


def test_alpha_synapses_as_fast_as_pynns_default_are_silent_and_that_is_an_error() -> None:
    with pytest.raises(RequestError, match=r"tau_syn_E 0\.5 ms .* act with 0 of their weight"):
        alpha(0.5, **MACHINE)
    spikes, v, changes, _ = alpha(0.5, **MACHINE, allow_losses=True)
    assert spikes == [[]] and np.all(v == -65.0)
    assert any(change.startswith("vanished: Population 'cells'") for change in changes)


def small_and_large(small: float, **options):
    sim.setup(timestep=1.0, rules="spinnaker", **options)
    source = sim.Population(2, sim.SpikeSourceArray(spike_times=[5.0]), label="source")
    cells = sim.Population(2, sim.IF_curr_exp(tau_refrac=2.0), label="cells")
    large = sim.FromListConnector([(0, 0, 1000.0, 1.0)], column_names=["weight", "delay"])
    sim.Projection(source, cells, large, sim.StaticSynapse(), label="large")
    sim.Projection(
        source, cells, sim.OneToOneConnector(), sim.StaticSynapse(weight=small, delay=1.0), label="small"
    )
    cells.record(["spikes", "v"])
    sim.run(20.0)
    return cells, sim.get_report()


def test_weight_that_another_projection_rounds_to_nothing_is_an_error_before_loading() -> None:
    with pytest.raises(
        RequestError, match=r"'small': 2 of 2 weights are 0 on the chip, the first 0\.01"
    ) as caught:
        small_and_large(0.01, **MAPPED)
    assert "ring_buffer_sigma" in str(caught.value) and "'cells'" in str(caught.value)
    _, report = small_and_large(0.01, **MAPPED, allow_losses=True)
    assert any(
        change.startswith("vanished: Projection 'small': 2 of 2 weights are 0") for change in report.changes
    )
    sim.end()


def test_allowed_loss_is_a_loss_on_the_machine_and_the_told_grid_is_the_machines() -> None:
    cells, report = small_and_large(0.01, **MACHINE, allow_losses=True)
    assert any("vanished: Projection 'small'" in change for change in report.changes)
    assert np.all(voltage(cells)[:, 1] == -65.0) and trains(cells)[0]
    sim.end()
    cells, report = small_and_large(0.1, **MACHINE)
    (told,) = [change for change in report.changes if "'small'" in change]
    step = float(told.split("multiples of ")[1].split(",")[0])
    on_chip = simulator.state.session.weights(1)
    assert on_chip == pytest.approx([round(0.1 / step) * step] * 2, rel=1e-3) and on_chip[0] != 0.1
    assert voltage(cells)[:, 1].max() > -65.0
    sim.end()


def fine(**options):
    sim.setup(timestep=0.1, min_delay=0.1, rules="spinnaker", **options)
    cells = sim.Population(
        2, sim.IF_curr_exp(tau_m=20.0, cm=1.0, i_offset=[1.0, 0.5], tau_refrac=2.0), label="cells"
    )
    cells.record(["spikes", "v"])
    sim.run(60.0)
    result = trains(cells), voltage(cells), sim.get_report().changes
    sim.end()
    return result


def test_a_fine_time_step_is_the_chips_own_arithmetic_and_is_told() -> None:
    spikes, v, changes = fine(**MACHINE)
    assert any("tau_m 20 ms acts as 20.053 ms (+0.27 %)" in change for change in changes)
    factor, one = 32605, 1 << 15  # exp(-163/32768), 163 = 0.1 ms / 20 ms in 2^-15, both cut off
    level = -65 * one + ((one // 2) * (20 * one) >> 15)
    now, expected = -65 * one, []
    for _ in range(len(v)):
        expected.append(now / one)
        now = level - ((factor * (level - now)) >> 15)
    np.testing.assert_array_equal(v[:, 1], expected)
    engine = fine(**ENGINE)
    late = [mine - other for mine, other in zip(spikes[0], engine[0][0], strict=True)]
    assert late and all(0 <= round(step, 6) <= 0.2 for step in late)


def test_input_arrives_in_its_step_where_steps_are_shorter_than_a_millisecond() -> None:
    """There sPyNNaker gives the synapses of a population a core of their own."""
    delays = [1, 2, 3, 5, 8, 15, 16]

    def first_change(**options):
        sim.setup(timestep=0.4, min_delay=0.4, rules="spinnaker", **options)
        source = sim.Population(1, sim.SpikeSourceArray(spike_times=[2.0, 8.0]))
        cells = sim.Population(len(delays), sim.IF_curr_exp(tau_refrac=2.0, tau_syn_E=1.0))
        rows = [(0, i, 0.5, 0.4 * delay) for i, delay in enumerate(delays)]
        sim.Projection(
            source, cells, sim.FromListConnector(rows, column_names=["weight", "delay"]), sim.StaticSynapse()
        )
        cells.record("v")
        sim.run(24.0)
        v, cores = voltage(cells), sim.get_report().facts.get("cores")
        sim.end()
        return [int(np.flatnonzero(v[:, i] != -65.0)[0]) for i in range(len(delays))], v, cores

    (machine, v, cores), (engine, other, _) = first_change(**MACHINE), first_change(**ENGINE)
    assert cores == 3  # the source, the neurons, their synapses
    assert machine == engine == [5 + delay + 1 for delay in delays]
    np.testing.assert_allclose(v, other, atol=0.001)


def test_reset_gives_the_same_run_again_byte_for_byte() -> None:
    sim.setup(timestep=1.0, rules="spinnaker", seed=5, **MACHINE)
    source = sim.Population(2, sim.SpikeSourceArray(spike_times=[[5.0, 12.0, 30.0], [8.0, 33.0]]))
    noise = sim.Population(2, sim.SpikeSourcePoisson(rate=200.0))
    cells = sim.Population(2, sim.IF_curr_exp(tau_refrac=2.0))
    plastic = sim.Projection(source, cells, sim.AllToAllConnector(), pair(2.0))
    sim.Projection(noise, cells, sim.OneToOneConnector(), sim.StaticSynapse(weight=1.0, delay=1.0))
    cells.record(["spikes", "v"])
    seen = []
    for again in range(2):
        sim.run(60.0)
        weights = plastic.get("weight", "array")
        seen.append((trains(cells), voltage(cells).tobytes(), weights.tobytes()))
        if not again:
            sim.reset()
    sim.end()
    assert seen[0] == seen[1]
    assert np.any(weights != 6.0) and all(seen[0][0])


def test_learned_weights_lack_what_came_since_the_last_presynaptic_spike() -> None:
    def weights(**options):
        sim.setup(timestep=1.0, rules="spinnaker", **options)
        source = sim.Population(1, sim.SpikeSourceArray(spike_times=[10.0, 60.0]))
        teacher = sim.Population(1, sim.SpikeSourceArray(spike_times=[15.0]))
        cells = sim.Population(1, sim.IF_curr_exp(tau_refrac=30.0))
        sim.Projection(teacher, cells, sim.OneToOneConnector(), sim.StaticSynapse(weight=40.0, delay=1.0))
        plastic = sim.Projection(source, cells, sim.OneToOneConnector(), pair(1.0))
        plastic.set(weight=0.5)
        sim.run(40.0)
        before = plastic.get("weight", "list", with_address=False)[0]
        sim.run(40.0)
        after = plastic.get("weight", "list", with_address=False)[0]
        sim.end()
        return before, after

    machine, engine = weights(**MACHINE), weights(**ENGINE)
    assert machine[0] == 0.5 and engine[0] > 0.6
    assert machine[1] == pytest.approx(engine[1], abs=0.003)
