"""From a TrialStructure to a C++ project.

Brian2 generates the cells and the synapses, as for every other network (sizes are data there too).  No synapse has a
delay, so that its queues would only copy: the generated loops walk rows of synapses instead, by source for presynaptic spikes
and by target for postsynaptic ones.

Run as ``python -m neurodeploy.backends.brian2.trials.generate STRUCTURE.json DIRECTORY KEY``.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import jinja2

from neurodeploy.backends.brian2.generate import (
    ENGINE,
    NEEDED_BY_ALL,
    UPDATES,
    each_neuron_for_itself,
    list_arrays,
    sizes_as_data,
)
from neurodeploy.backends.brian2.trials.objects import build_objects
from neurodeploy.backends.brian2.trials.structure import CELLS, TrialStructure
from neurodeploy.backends.brian2.without_pictures import brian2

STAND_IN = 1000003
"""Size of the group while Brian2 generates: a prime that no generated line contains for another reason."""

QUEUE_LOOP = re.compile(
    r"std::vector<int> \*_spiking_synapses = \w+\.peek\(\);\s*"
    r"const int _num_spiking_synapses = _spiking_synapses->size\(\);\s*"
    r"\{\s*for\(int _spiking_synapse_idx=0;\s*_spiking_synapse_idx<_num_spiking_synapses;\s*_spiking_synapse_idx\+\+\)\s*"
    r"\{\s*const size_t _idx = \(\*_spiking_synapses\)\[_spiking_synapse_idx\];"
)
"""The loop over the synapses in a queue, as Brian2's template for non-synaptic targets writes it."""


def generate(structure: TrialStructure, directory: Path, key: str, stand_in: int = STAND_IN) -> list[str]:
    """Write the project into `directory`; give the source files to compile."""
    brian2.set_device("cpp_standalone", build_on_run=False, directory=str(directory))
    objects = build_objects(structure, stand_in)
    for synapses in objects.synapses.values():
        synapses.connect(i=[0], j=[0])
    brian2.Network(*objects.groups.values(), *objects.synapses.values()).run(1 * brian2.second)
    brian2.device.build(compile=False, run=False, directory=str(directory))

    cells = objects.groups[CELLS]
    code = {
        "thresholder": f"{CELLS}_spike_thresholder_codeobject",
        "resetter": f"{CELLS}_spike_resetter_codeobject",
        "updater": f"{CELLS}_update_codeobject",
    }
    classes = [_pathways(objects, number) for number in range(len(structure.kinds))]
    used = [*code.values(), *(name for pathways in classes for name in pathways.values())]
    files = [f"code_objects/{name}.cpp" for name in used] + [f"{name}.cpp" for name in NEEDED_BY_ALL]
    headers = [f"code_objects/{name}.h" for name in used] + ["objects.h", "network.h", "synapses_classes.h"]
    texts = {name: (directory / name).read_text() for name in (*files, *headers)}
    update = next(name for name in texts if name.endswith(UPDATES))
    texts[update] = each_neuron_for_itself(texts[update], parallel=False)
    space = brian2.device.get_array_name(cells.variables["_spikespace"], access_data=False)
    for number, pathways in enumerate(classes):
        for end, name in pathways.items():
            file = f"code_objects/{name}.cpp"
            texts[file] = _rows_for_queues(texts[file], number, end, f"brian::{space}")
    texts["main.cpp"] = _main(structure, objects, key, code, classes, used)
    for name, text in texts.items():
        reader = "read_size_of" if name == "objects.cpp" else "size_of"
        (directory / name).write_text(sizes_as_data(text, (CELLS,), {CELLS: stand_in}, reader))
    for header in ("engine.h", "arrays.h", "common.h", "trials.h", "philox.h"):
        shutil.copy(ENGINE / header, directory / header)
    sources = [name for name in texts if name.endswith(".cpp")]
    (directory / "sources.txt").write_text("\n".join(sources))
    return sources


def _pathways(objects, number: int) -> dict[str, str]:
    """``"pre"`` and, where a class learns, ``"post"`` -> the name of its code object."""
    synapses = objects.synapses[f"class{number}"]
    return {
        pathway.prepost: f"{synapses.name}_{pathway.prepost}_codeobject" for pathway in synapses._pathways
    }


def _rows_for_queues(text: str, number: int, end: str, space: str) -> str:
    """Walk the rows of the spiking neurons where Brian2 walks a queue.

    A row's synapses have different targets, so that the presynaptic loop may do several at once; in the postsynaptic one
    they share a target, whose sum must keep its order.
    """
    at_once = "#pragma GCC ivdep\n" if end == "pre" else ""
    synapse = "_k" if end == "pre" else "_rows.synapse[_k]"
    loop = f"""const neurodeploy::Rows& _rows = neurodeploy::{end}_rows[{number}];
    const int32_t* const _space = {space};
    const int32_t _spikes = _space[neurodeploy::size_of(0)];
    {{
        for (int32_t _spike = 0; _spike < _spikes; _spike++)
        {{
        const int32_t _neuron = _space[_spike];
        const int32_t _end = _rows.start[_neuron + 1];
        {at_once}for (int32_t _k = _rows.start[_neuron]; _k < _end; _k++)
        {{
            const size_t _idx = {synapse};"""
    text, loops = QUEUE_LOOP.subn(lambda _: loop, text)
    index = rf"(const int32_t _{end}synaptic_idx = )\w+\[_idx\];"
    text, indices = re.subn(index, r"\g<1>_neuron;", text)
    body = text.rindex("}", 0, text.index("void _debugmsg_") if "_debugmsg_" in text else len(text))
    text = '#include "trials.h"\n' + text[:body] + "}\n" + text[body:]
    if loops != 1 or indices > 1:
        raise RuntimeError("Brian2 generated another loop over synapses than the one that is known")
    return text


def _main(structure: TrialStructure, objects, key: str, code: dict, classes: list, used: list[str]) -> str:
    """The main program, from its template."""
    plain: list[dict[str, str]] = []
    growing: list[dict[str, str]] = []
    cells = objects.groups[CELLS]
    list_arrays(plain, growing, CELLS, cells, "neurodeploy::size_of(0)")
    for name, synapses in objects.synapses.items():
        list_arrays(plain, growing, name, synapses, "1")

    def symbol(owner, name: str) -> str:
        return f"brian::{brian2.device.get_array_name(owner.variables[name], access_data=False)}"

    state = ["v", "current", "correction", "g", "gain", "refractory_left", "_spikespace"]
    state += ["trace", "quiet"] if structure.learns else []
    tables = []
    for number, ((name, synapses), kind, pathways) in enumerate(
        zip(objects.synapses.items(), structure.kinds, classes, strict=True)
    ):
        row = {
            "name": name,
            "number": number,
            "learns": kind != "static",
            "weight": symbol(synapses, "w"),
            **pathways,
        }
        if row["learns"]:
            row |= {"early": symbol(synapses, "early"), "late": symbol(synapses, "late")}
        tables.append(row)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ENGINE), trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("trials.cpp.jinja").render(
        key=key,
        headers=used,
        code=code,
        classes=tables,
        learns=structure.learns,
        plain=plain,
        growing=growing,
        state={name: symbol(cells, name) for name in state},
    )


if __name__ == "__main__":
    generate(TrialStructure.from_json(Path(sys.argv[1]).read_text()), Path(sys.argv[2]), sys.argv[3])
