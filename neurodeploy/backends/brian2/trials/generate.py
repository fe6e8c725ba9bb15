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

UNKNOWN_LOOP = "Brian2 generated another loop over synapses than the one that is known"

THRESHOLD_BRANCH = re.compile(r"if\(_cond\) \{\s*(\w+)\[_count\+\+\] = _idx;\s*\}")


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
    threshold = f"code_objects/{code['thresholder']}.cpp"
    texts[threshold] = _without_branch(texts[threshold])
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


def _without_branch(text: str) -> str:
    """Note every cell as spiking, and overwrite those that do not: a branch would often be guessed wrong."""
    text, changed = THRESHOLD_BRANCH.subn(r"\g<1>[_count] = _idx;\n        _count += _cond;", text)
    if changed != 1:
        raise RuntimeError("Brian2 generated another threshold than the one that is known")
    return text


def _rows_for_queues(text: str, number: int, end: str, space: str) -> str:
    """Walk the rows of the spiking neurons where Brian2 walks a queue.

    What belongs to a row's neuron is read before its synapses and written after them; sums keep their order.
    By target the weights are far apart: those of the next row are fetched while this one is worked on.
    """
    own, other = ("_presynaptic_idx", "_postsynaptic_idx")[:: 1 if end == "pre" else -1]
    known = QUEUE_LOOP.search(text)
    if known is None:
        raise RuntimeError(UNKNOWN_LOOP)
    stop = text.index("}", known.end())
    body = re.sub(rf"^ *const int32_t {own} = .*\n", "", text[known.end() : stop], flags=re.MULTILINE)
    reads, body = _taken_out(rf"^ *(?:const )?double \w+ = (\w+)\[{own}\];\n", body)
    writes, body = _taken_out(rf"^ *(\w+)\[{own}\] = \w+;\n", body)
    shared = set(re.findall(rf"(\w+)\[{other}\]", body)) & writes.keys()
    shared |= set(re.findall(rf"(\w+)\[{other}\] = ", body)) & reads.keys()
    if "{" in body or own in body or shared:
        raise RuntimeError(UNKNOWN_LOOP)
    ahead = ""
    if end == "post":
        body = re.sub(rf"(const int32_t {other} = )\w+\[_idx\];", r"\g<1>_rows.source[_k];", body)
        ahead = f"""
            if (_spike + 1 < _spikes)
            {{
                const int32_t _next_end = _rows.start[_space[_spike + 1] + 1];
                for (int32_t _k = _rows.start[_space[_spike + 1]]; _k < _next_end; _k++)
                    __builtin_prefetch(&_ptr_array_class{number}_w[_rows.synapse[_k]], 1);
            }}"""
    loop = f"""const neurodeploy::Rows& _rows = neurodeploy::{end}_rows[{number}];
    const int32_t* const _space = {space};
    const int32_t _spikes = _space[neurodeploy::size_of(0)];
    {{
        for (int32_t _spike = 0; _spike < _spikes; _spike++)
        {{
            const int32_t {own} = _space[_spike];
            const int32_t _end = _rows.start[{own} + 1];
{"".join(reads.values())}{ahead}
            for (int32_t _k = _rows.start[{own}]; _k < _end; _k++)
            {{
                const size_t _idx = {"_k" if end == "pre" else "_rows.synapse[_k]"};{body}}}
{"".join(writes.values())}
        """
    return '#include "trials.h"\n' + text[: known.start()] + loop + text[stop:]


def _taken_out(pattern: str, text: str) -> tuple[dict[str, str], str]:
    """The lines that match `pattern`, by the array in its group; `text` without them."""
    lines = {match[1]: match[0] for match in re.finditer(pattern, text, re.MULTILINE)}
    return lines, re.sub(pattern, "", text, flags=re.MULTILINE)


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
