"""Static synapses and spike-timing-dependent plasticity; PyNN's other synapses say that they are not there."""

from __future__ import annotations

from typing import Any

import numpy as np
from pyNN.standardmodels import build_translations, synapses
from pyNN.standardmodels.base import StandardSynapseType, STDPTimingDependence, STDPWeightDependence

from neurodeploy.errors import UnsupportedError
from neurodeploy.models.network import Plasticity
from neurodeploy.models.pynn.cells import unsupported
from neurodeploy.models.pynn.errors import ParameterValueError, check_names, taught
from neurodeploy.models.pynn.simulator import finite, state


def _identity(*names: str) -> dict[str, Any]:
    table: dict[str, Any] = build_translations(*((name, name) for name in names))
    return table


class StaticSynapse(synapses.StaticSynapse):
    __doc__ = synapses.StaticSynapse.__doc__
    translations = _identity("weight", "delay")
    parameter_checks: dict[str, Any] = {}  # the Projection checks all its synapses at once

    def __init__(self, **parameters: Any) -> None:
        check_names(parameters, self.default_parameters, "StaticSynapse")
        with taught("StaticSynapse"):
            super().__init__(**parameters)

    def _get_minimum_delay(self) -> float:
        return state.min_delay

    @property
    def plasticity(self) -> Plasticity | None:
        """None: the weight stays as it is."""
        return None


class Homogeneous:
    """A part of an STDP rule, whose parameters are one number each."""

    def __init__(self, *positional: Any, **parameters: Any) -> None:
        model = self.__class__.__name__
        known = list(self.default_parameters)  # type: ignore[attr-defined]
        if len(positional) > len(known):
            raise ParameterValueError(f"{model} takes {len(known)} parameters, not {len(positional)}")
        parameters = {**dict(zip(known, positional, strict=False)), **parameters}
        check_names(parameters, known, model)
        for name, value in parameters.items():
            if not isinstance(value, (int, float, np.number)) or isinstance(value, bool):
                raise UnsupportedError(
                    f"{model}: {name} is a {type(value).__name__}, not one number",
                    why="all synapses of a projection share their plasticity parameters",
                    fix="give one number, or split the projection",
                )
            if not finite(value):
                raise ParameterValueError(f"{model}: {name} is {value}; it must be a finite number")
            if name.startswith("tau") and value <= 0:
                raise ParameterValueError(f"{model}: {name} is {value:g} ms; it must be above 0")
        self.values = {name: float(parameters.get(name, default)) for name, default in self._defaults()}
        super().__init__(**parameters)
        self._check()

    def _defaults(self) -> list[tuple[str, Any]]:
        return list(self.default_parameters.items())  # type: ignore[attr-defined]

    def _check(self) -> None:
        """Nothing more to check."""


class SpikePairRule(Homogeneous, synapses.SpikePairRule):
    __doc__ = synapses.SpikePairRule.__doc__
    translations = _identity(*synapses.SpikePairRule.default_parameters)


class _Bounded(Homogeneous):
    def _check(self) -> None:
        low, high = self.values["w_min"], self.values["w_max"]
        if low > high:
            raise ParameterValueError(
                f"{self.__class__.__name__}: w_min is {low:g}, above w_max, which is {high:g}",
                fix="swap them",
            )


class AdditiveWeightDependence(_Bounded, synapses.AdditiveWeightDependence):
    __doc__ = synapses.AdditiveWeightDependence.__doc__
    translations = _identity(*synapses.AdditiveWeightDependence.default_parameters)
    kind = "additive"


class MultiplicativeWeightDependence(_Bounded, synapses.MultiplicativeWeightDependence):
    __doc__ = synapses.MultiplicativeWeightDependence.__doc__
    translations = _identity(*synapses.MultiplicativeWeightDependence.default_parameters)
    kind = "multiplicative"


class STDPMechanism(synapses.STDPMechanism):
    __doc__ = synapses.STDPMechanism.__doc__
    base_translations = _identity("weight", "delay", "dendritic_delay_fraction")
    parameter_checks: dict[str, Any] = {}

    def __init__(
        self,
        timing_dependence: Any = None,
        weight_dependence: Any = None,
        voltage_dependence: Any = None,
        dendritic_delay_fraction: float = 1.0,
        weight: Any = 0.0,
        delay: Any = None,
        **unknown: Any,
    ) -> None:
        own = ["timing_dependence", "weight_dependence", "voltage_dependence"]
        check_names(unknown, [*own, *self.base_translations], "STDPMechanism")
        parts = (
            ("timing_dependence", timing_dependence, (SpikePairRule,)),
            ("weight_dependence", weight_dependence, _DEPENDENCES),
        )
        for name, part, supported in parts:
            names = " or ".join(each.__name__ for each in supported)
            if not isinstance(part, supported):
                what = "is missing" if part is None else f"is a {type(part).__name__}"
                raise UnsupportedError(
                    f"STDPMechanism: {name} {what}; it must be a {names} of this simulator module",
                    fix=f"pass {name}={supported[0].__name__}(...)",
                )
        if voltage_dependence is not None:
            raise UnsupportedError(
                "STDPMechanism: voltage_dependence is not available here",
                fix="leave voltage_dependence out",
            )
        if not finite(dendritic_delay_fraction) or not 0 <= dendritic_delay_fraction <= 1:
            raise ParameterValueError(
                f"STDPMechanism: dendritic_delay_fraction is {dendritic_delay_fraction}; it must be 0 to 1"
            )
        self.timing_dependence = timing_dependence
        self.weight_dependence = weight_dependence
        self.voltage_dependence = None
        self.dendritic_delay_fraction = float(dendritic_delay_fraction)
        self.weight = 0.0 if weight is None else weight
        self.delay = self._get_minimum_delay() if delay is None else delay
        self._build_translations()
        with taught("STDPMechanism"):
            self.parameter_space  # noqa: B018  (built once, so that a wrong value is met here)

    def _build_translations(self) -> None:
        # A table of its own: PyNN's version writes into the table of the class.
        self.translations = {
            **self.base_translations,
            **self.timing_dependence.translations,
            **self.weight_dependence.translations,
        }

    def _get_minimum_delay(self) -> float:
        return state.min_delay

    @property
    def plasticity(self) -> Plasticity:
        """The rule as plain data."""
        return Plasticity(
            **self.timing_dependence.values,
            **self.weight_dependence.values,
            weight_dependence=self.weight_dependence.kind,
            dendritic_delay_fraction=self.dendritic_delay_fraction,
        )


_DEPENDENCES = (AdditiveWeightDependence, MultiplicativeWeightDependence)

SUPPORTED_SYNAPSES = (StaticSynapse, STDPMechanism)

_KINDS = (
    (StandardSynapseType, "synapse", SUPPORTED_SYNAPSES),
    (STDPWeightDependence, "weight dependence", _DEPENDENCES),
    (STDPTimingDependence, "timing dependence", (SpikePairRule,)),
)

NOT_SUPPORTED = {
    name: unsupported(model, kind, supported)
    for base, kind, supported in _KINDS
    for name, model in vars(synapses).items()
    if isinstance(model, type)
    and issubclass(model, base)
    and model is not base
    and name not in {each.__name__ for each in supported}
}
"""Every other standard synapse and plasticity rule of PyNN, as a class that raises UnsupportedError."""
