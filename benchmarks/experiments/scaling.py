"""Up to eight nodes and sixteen slots of trials that train nothing: what an event costs the driver, and how many pass.

The nodes are processes of this machine. The driver's CPU-seconds are its own whatever else runs; the rate is that of
this machine's cores, which all the workers share with it, so that it is a lower bound.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.row import Row, at_most

NODES, SLOTS_EACH = (1, 2, 4, 8), 2
TRIALS, EPOCHS = 192, 9
LIMIT, GROWTH = 20.0, 2.0  # CPU-milliseconds an event; eight nodes over one


def rows() -> list[Row]:
    """Measure each size. An event is an epoch's result, or the end of a trial with the draw of the next."""
    found, cost = [], {}
    for nodes in NODES:
        slots = nodes * SLOTS_EACH
        told = measure(nodes, slots, TRIALS, EPOCHS)
        events = told["epochs"] + told["trials"]
        cost[nodes] = 1000 * told["cpu"] / events
        size = f"{nodes} nodes, {slots} slots"
        note = f"{told['epochs']} epochs of {told['trials']} trials, {told['cpu']:.1f} CPU-s"
        found.append(at_most(f"driver, an event, {size}", round(cost[nodes], 2), LIMIT, unit="CPU-ms", note=note))
        found.append(Row(metric=f"epochs a second, {size}", value=round(told["rate"], 1), goal="", ok=None, note=""))
    ratio = round(cost[NODES[-1]] / cost[NODES[0]], 2)
    note = f"{SLOTS_EACH * NODES[0]} slots and {SLOTS_EACH * NODES[-1]}"
    return [*found, at_most("an event with most nodes over one", ratio, GROWTH, unit="times", note=note)]


def measure(nodes: int, slots: int, trials: int, epochs: int) -> dict[str, Any]:
    """Start a head and ``nodes`` nodes, and drive ``trials`` trials that train nothing on ``slots`` slots."""
    import search.tuner  # sets what Ray reads when its processes start  # noqa: F401, I001
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    try:
        for _ in range(nodes):
            cluster.add_node(num_cpus=slots // nodes, object_store_memory=80_000_000)
        given = [cluster.address, str(slots), str(trials), str(epochs)]
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.trivial", *given],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        cluster.shutdown()
    if done.returncode:
        raise RuntimeError(f"the driver failed: {done.stderr[-2000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))
