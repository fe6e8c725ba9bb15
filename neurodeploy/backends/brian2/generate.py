"""From a Structure to a C++ project whose sizes are data.

Brian2 writes the number of neurons into the code it generates.  Each group is therefore generated with a number
that stands for its size and occurs nowhere else, and every occurrence of it is replaced by a value read when the
program starts.  A test generates projects with other stand-ins, and the texts must come out the same.

Run as ``python -m neurodeploy.backends.brian2.generate STRUCTURE.json DIRECTORY KEY``: Brian2 is imported in that process alone.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import jinja2
import numpy as np

from neurodeploy.backends.brian2.objects import Callbacks, Objects, build_objects
from neurodeploy.backends.brian2.structure import SOURCES, Structure, event_step, synapses_name
from neurodeploy.backends.brian2.without_pictures import brian2
from neurodeploy.chips.catalogue import rules_by_name

ENGINE = Path(__file__).parent / "engine"

STAND_INS = (1000003, 1000033, 1000037, 1000039, 1000081, 1000099)
"""Prime numbers that no generated line contains for another reason; one a group."""

UPDATES = "_update_codeobject.cpp"
"""Ending of the generated files that update the cells of a group, each neuron for itself."""

NEEDED_BY_ALL = ("objects", "network", "synapses_classes")
"""Generated files that are compiled whatever the model is."""


def generate(
    structure: Structure, directory: Path, key: str, stand_ins: tuple[int, ...] = STAND_INS
) -> list[str]:
    """Write the project into `directory`; give the source files to compile.

    `key` is compiled in, and the program says it when it starts.
    """
    brian2.set_device("cpp_standalone", build_on_run=False, directory=str(directory))
    sizes = dict(zip(structure.groups, stand_ins, strict=False))
    nothing = {name: Callbacks() for name in ("", *structure.cells)}
    objects = build_objects(structure, sizes, nothing)
    for synapses in objects.synapses.values():
        synapses.connect(i=[0], j=[0])
    network = brian2.Network(*objects.groups.values(), *objects.synapses.values())
    network.run(1 * brian2.second)
    brian2.device.build(compile=False, run=False, directory=str(directory))

    calls = [
        match
        for entry, arguments in brian2.device.main_queue
        if entry == "run_network"
        for match in re.findall(r"_run_(\w+)\)", "\n".join(arguments[1]))
    ]
    schedule, used = _schedule(structure, calls)
    queues = [name for name in used if name.endswith("_push_spikes")]
    code_objects = [*used, *(f"before_run_{name}" for name in queues)]
    files = [f"code_objects/{name}.cpp" for name in code_objects] + [f"{name}.cpp" for name in NEEDED_BY_ALL]
    headers = [f"code_objects/{name}.h" for name in code_objects]
    headers += ["objects.h", "network.h", "synapses_classes.h"]
    texts = {name: (directory / name).read_text() for name in (*files, *headers)}
    texts["main.cpp"] = _main(structure, objects, key, schedule, queues, code_objects)
    for name in [name for name in texts if name.endswith(UPDATES)]:
        texts[name] = each_neuron_for_itself(texts[name], structure.parallel)
    for name, text in texts.items():
        reader = "read_size_of" if name == "objects.cpp" else "size_of"
        (directory / name).write_text(sizes_as_data(text, structure.groups, sizes, reader))
    for header in ("engine.h", "arrays.h", "common.h", "learning.h"):
        shutil.copy(ENGINE / header, directory / header)
    sources = [name for name in texts if name.endswith(".cpp")]
    (directory / "sources.txt").write_text("\n".join(sources))
    return sources


def each_neuron_for_itself(text: str, parallel: bool) -> str:
    """Tell the compiler that the arrays of a group do not overlap, so that it may update several neurons at once,
    and share the loop among threads where that is asked for.  The result is the same either way."""
    loop = "for(int _idx=0; _idx<_N; _idx++)"
    if text.count(loop) != 1:
        raise RuntimeError("Brian2 generated another loop than the one that is known to be safe")
    pragma = "#pragma omp parallel for simd schedule(static)" if parallel else "#pragma GCC ivdep"
    return text.replace(loop, f"{pragma}\n    {loop}")


def _schedule(structure: Structure, calls: list[str]) -> tuple[list[str], list[str]]:
    """The lines of one step in the order the rules demand, and the code objects they use.

    A spike acts through ``emit`` and the queues; over static synapses the engine delivers it, without a queue.
    Postsynaptic events are processed before presynaptic ones of the same step, so that a tie never potentiates.
    """
    rules = rules_by_name(structure.rules)
    delivered = {f"{name}_pre_codeobject": name for name in _static_names(structure)}
    calls = [name for name in calls if name.removesuffix("push_spikes") + "codeobject" not in delivered]

    def chosen(condition) -> list[str]:
        return [
            f"{delivered[name]}.deliver(k)" if name in delivered else f"_run_{name}()"
            for name in calls
            if condition(name)
        ]

    def from_sources(name: str) -> bool:
        return re.match(rf"(static|plastic)_{SOURCES}_", name) is not None

    post = chosen(lambda name: "_post_" in name)
    pre_of_sources = chosen(lambda name: "_pre_" in name and from_sources(name))
    pre_of_cells = chosen(lambda name: "_pre_" in name and not from_sources(name))
    cells = [
        "record(k, false)",
        "fetch_all(k)",
        *chosen(lambda name: re.search(r"_update", name) and "_pre_" not in name and "_post_" not in name),
        "record(k, true)",
        *chosen(lambda name: name.endswith("_spike_thresholder_codeobject")),
    ]
    resets = chosen(lambda name: name.endswith("_spike_resetter_codeobject"))
    emission = ["emit(k)"] if structure.sources else []
    if rules.sources_before_update:
        lines = [*emission, *pre_of_sources, *cells, "record_spikes(k)", *resets, *post, *pre_of_cells]
    else:
        lines = [*cells, *resets, *emission, "record_spikes(k)", *post, *pre_of_sources, *pre_of_cells]
    used = [line[len("_run_") : -2] for line in lines if line.startswith("_run_")]
    left_out = set(calls) - set(used) - set(delivered) - {f"{SOURCES}_codeobject"}
    if left_out or len(used) != len(set(used)):
        raise RuntimeError(f"Brian2 generated code that the schedule does not know: {sorted(left_out)}")
    return lines, used


def _static_names(structure: Structure) -> list[str]:
    return [synapses_name("static", *pair) for pair in structure.static]


def _main(
    structure: Structure,
    objects: Objects,
    key: str,
    schedule: list[str],
    queues: list[str],
    code_objects: list[str],
) -> str:
    """The engine's main program, from its template."""
    plain: list[dict[str, str]] = []
    growing: list[dict[str, str]] = []
    index = {name: number for number, name in enumerate(structure.groups)}
    for name, group in objects.groups.items():
        list_arrays(plain, growing, name, group, f"neurodeploy::size_of({index[name]})")
    for name, synapses in objects.synapses.items():
        list_arrays(plain, growing, name, synapses, "1")
        for pathway in synapses._pathways:
            _list(plain, growing, f"{name}.{pathway.prepost}", pathway.variables["delay"], "1")
    groups = len(structure.groups)
    rings = []
    for number, cell in enumerate(structure.cells):
        inputs = {
            name: brian2.device.get_array_name(objects.groups[cell].variables[name], access_data=False)
            for name in ("arriving_exc", "arriving_inh")
        }
        rings.append({"name": cell, "size": index[cell], "slots": groups + number, **inputs})
    sources = None
    if structure.sources:
        spikespace = objects.groups[SOURCES].variables["_spikespace"]
        sources = {"spikespace": brian2.device.get_array_name(spikespace), "size": index[SOURCES]}
    static = []
    for source, target in structure.static:
        name = synapses_name("static", source, target)
        variables = objects.synapses[name].variables
        arrays = {
            key: brian2.device.get_array_name(variables[variable], access_data=False)
            for key, variable in (
                ("pre", "_synaptic_pre"),
                ("row", "row"),
                ("steps", "send_steps"),
                ("weight", "w"),
            )
        }
        spikes = brian2.device.get_array_name(objects.groups[source].variables["_spikespace"])
        late = int(event_step(structure, source) != "t_in_timesteps")
        ring = structure.cells.index(target)
        static.append(
            {"name": name, "source": index[source], "ring": ring, "spikes": spikes, "late": late, **arrays}
        )
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ENGINE), trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("main.cpp.jinja").render(
        key=key,
        headers=code_objects,
        prepare=[f"_before_run_{name}" for name in queues],
        schedule=schedule,
        plain=plain,
        growing=growing,
        rings=rings,
        sources=sources,
        static=static,
        size_count=groups + len(rings),
    )


def list_arrays(plain: list, growing: list, name: str, owner, size: str) -> None:
    """Add the arrays of the group or Synapses object `name` to the engine's tables."""
    for variable in owner.variables.values():
        if _owned(variable, name):
            _list(plain, growing, name, variable, size)


def _owned(variable, name: str) -> bool:
    return isinstance(variable, brian2.core.variables.ArrayVariable) and variable.owner.name == name


def _list(plain: list, growing: list, owner: str, variable, size: str) -> None:
    """Add one of Brian2's arrays to the engine's tables, if it holds numbers that are loaded or read."""
    if variable.dtype not in (np.float64, np.int32, np.dtype("int32"), np.dtype("float64")):
        return
    dynamic = isinstance(variable, brian2.core.variables.DynamicArrayVariable)
    symbol = brian2.device.get_array_name(variable, access_data=False)
    row = {"name": f"{owner}.{variable.name}", "symbol": symbol, "count": size}
    if variable.name == "_spikespace":
        row["count"] = f"({size} + 1)"
    elif variable.scalar:
        row["count"] = "1"
    (growing if dynamic else plain).append(row)


def sizes_as_data(text: str, groups: tuple[str, ...], sizes: dict[str, int], reader: str) -> str:
    """Replace every stand-in by a call of `reader`."""
    for number, group in enumerate(groups):
        for more in (0, 1):
            value = f"neurodeploy::{reader}({number})"
            text = re.sub(rf"\b{sizes[group] + more}\b", f"({value} + 1)" if more else value, text)
    if f"neurodeploy::{reader}" in text and '#include "engine.h"' not in text:
        text = '#include "engine.h"\n' + text
    return text


def main(arguments: list[str]) -> int:
    structure_file, directory, key = arguments
    brian2.prefs.logging.file_log = False
    brian2.prefs.logging.save_script = False
    structure = Structure.from_json(Path(structure_file).read_text())
    generate(structure, Path(directory), key)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
