"""PyTorch's times for the work that sharpscope does, eager, in float32.

Two modes:

    bench.py [--rows NAME ...] [--quick] [--device cpu|cuda] [--threads 2] [--repeats 30]
             [--json FILE]
        Times the gradient and the Hessian-vector product of every network of networks.py, at
        PyTorch's initialization; for tanh networks under the mse loss also a cold eigensolve, and
        for two of them the spectral density.

    bench.py --train RUN_DIR --steps N [N ...] [--tol 1e-3] [--device cpu|cuda] [--threads 2]
             [--repeats 3] [--json FILE]
        Trains a run directory's problem by full-batch gradient descent with a cold eigensolve
        before every update (as Cohen et al. 2021 measure sharpness), and prints the time that the
        first N steps took, the gradient's graph rebuilt for each product or retained in a solve.

Two Hessian-vector products are timed. The plain one builds the gradient's graph, differentiates
it and drops it, as Cohen et al.'s code does. The "retained" one differentiates a graph that was
built once at the same parameters, which is the cheapest that eager PyTorch offers for one product.
"Of a block" is a quarter of the time of four products that torch.func.vmap takes at once through
a retained graph. Where it has no rule for an operator they are taken one by one; which it was is
said. It may be slower than products one by one, the time of which is the "retained" one.

On a GPU every timing ends when the device has done its work; parameters and products stay on it,
except that the vectors of an eigensolve cross to the host, where ARPACK is.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

# NumPy and SciPy bring their own BLAS threads, which compete with PyTorch's for the cores and
# more than doubled the time of a solve. ARPACK's share is small, so they get one thread; the
# variable must be set before NumPy is imported.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np  # noqa: E402
import scipy  # noqa: E402
import scipy.linalg  # noqa: E402
import torch  # noqa: E402
from scipy.sparse.linalg import LinearOperator, eigsh  # noqa: E402
from torch.nn.attention import SDPBackend, sdpa_kernel  # noqa: E402

from networks import DENSITY_ROWS, OTHER_ROWS, TANH_ROWS, ModuleProblem, Row  # noqa: E402
from reference import Problem, load_run, write_json  # noqa: E402

MADE_BY = "scripts/pytorch/bench.py"
TOLERANCE = 1e-3
REPEATS, TRAIN_REPEATS, QUICK_REPEATS = 30, 3, 2
BLOCK = 4
# Of products taken in different ways, relative to their norm.
AGREEMENT = 1e-4
DENSITY_PROBES = 10
DENSITY_STEPS = 80
PRODUCTS = {
    "gradient_ms": "gradient",
    "hvp_ms": "HVP",
    "hvp_retained_ms": "HVP, retained",
    "block_ms": "of a block",
}
SOLVES = {
    "eigsh_ms": "solve",
    "eigsh_retained_ms": "solve, retained",
    "eigsh_hvps": "products of a solve",
    "density_ms": "density",
}
TRAINING = {
    "total_s": "seconds",
    "eigsh_ms": "solve, ms a step",
    "update_ms": "gradient and update, ms a step",
    "hvps_per_step": "products a step",
}

Times = dict[str, list[float]]


def milliseconds(work: Callable[[], Any]) -> float:
    """The wall-clock time of one call."""
    finish()
    start = time.perf_counter()
    work()
    finish()
    return 1e3 * (time.perf_counter() - start)


def finish() -> None:
    """Waits for a GPU."""
    if torch.get_default_device().type == "cuda":
        torch.cuda.synchronize()


def move(problem: Problem) -> None:
    """Moves a problem to the default device."""
    device = torch.get_default_device()
    if isinstance(problem, ModuleProblem):
        problem.module.to(device)
        problem.parameters = list(problem.module.parameters())
    else:
        problem.parameters = [
            p.detach().to(device).requires_grad_() for p in problem.parameters
        ]
    problem.inputs, problem.labels = problem.inputs.to(device), problem.labels.to(device)


def product_on_host(
    problem: Problem, vector: np.ndarray, graph: list[torch.Tensor] | None
) -> np.ndarray:
    """The Hessian times a vector, both on the host."""
    there = torch.from_numpy(vector.ravel().copy()).to(problem.inputs.device)
    return problem.hvp(there, graph).cpu().numpy()


def summary(values: list[float]) -> dict[str, float]:
    """Median, extremes and quartiles."""
    names = ["min", "lower_quartile", "median", "upper_quartile", "max"]
    return dict(zip(names, np.percentile(values, [0, 25, 50, 75, 100]).tolist()))


def block_by_vmap(
    problem: Problem, graph: list[torch.Tensor], vectors: torch.Tensor
) -> torch.Tensor:
    """The Hessian times each row, at once, through a retained graph."""

    def multiply(*parts: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return torch.autograd.grad(graph, problem.parameters, parts, retain_graph=True)

    sizes = [p.numel() for p in problem.parameters]
    parts = vectors.split(sizes, dim=1)
    shaped = [part.view(-1, *p.shape) for part, p in zip(parts, problem.parameters)]
    products = torch.func.vmap(multiply)(*shaped)
    return torch.cat([product.reshape(len(vectors), -1) for product in products], dim=1)


def block_by_loop(
    problem: Problem, graph: list[torch.Tensor], vectors: torch.Tensor
) -> torch.Tensor:
    """The Hessian times each row, one by one, through a retained graph."""
    return torch.stack([problem.hvp(vector, graph) for vector in vectors])


def takes_vmap(problem: Problem, graph: list[torch.Tensor], vectors: torch.Tensor) -> bool:
    """Whether vmap knows every operator of the products; it warns where it falls back to a loop."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            block_by_vmap(problem, graph, vectors)
        except (RuntimeError, UserWarning) as error:
            print(f"  one by one, since vmap says: {error}")
            return False
    return True


def check_products(name: str, plain: torch.Tensor, block: torch.Tensor) -> None:
    """Asserts that a product is the same however it is taken."""
    error = ((plain - block).norm() / plain.norm()).item()
    assert error < AGREEMENT, f"{name}: products differ by {error:.1e}"


def solve_top(
    problem: Problem, random: np.random.RandomState, tolerance: float, retain: bool
) -> tuple[float, int]:
    """The top eigenvalue by `eigsh` from a random start, and the products it took."""
    graph = problem.gradient_graph() if retain else None
    products = 0

    def multiply(vector: np.ndarray) -> np.ndarray:
        nonlocal products
        products += 1
        return product_on_host(problem, vector, graph)

    operator = LinearOperator((problem.size,) * 2, matvec=multiply, dtype=np.float32)
    start = random.standard_normal(problem.size).astype(np.float32)
    values = eigsh(
        operator, k=1, which="LA", tol=tolerance, v0=start, return_eigenvectors=False
    )
    return float(values[0]), products


def density(problem: Problem, random: np.random.RandomState) -> np.ndarray:
    """Nodes and weights of stochastic Lanczos quadrature, with full reorthogonalization.

    The gradient's graph is built once and retained, the cheapest that eager PyTorch offers.
    """
    graph = problem.gradient_graph()
    found = []
    for _ in range(DENSITY_PROBES):
        basis = torch.zeros(DENSITY_STEPS, problem.size, dtype=torch.float64)
        basis[0] = torch.from_numpy(random.choice([-1.0, 1.0], problem.size)).to(basis)
        basis[0] /= basis[0].norm()
        alphas, betas = [], []
        for step in range(DENSITY_STEPS):
            rest = problem.hvp(basis[step].float(), graph).double()
            known = basis[: step + 1]
            along = 0.0
            for _ in range(2):
                overlap = known @ rest
                rest = rest - known.T @ overlap
                along += overlap[-1].item()
            alphas.append(along)
            if step + 1 < DENSITY_STEPS:
                betas.append(rest.norm().item())
                basis[step + 1] = rest / betas[-1]
        values, vectors = scipy.linalg.eigh_tridiagonal(alphas, betas)
        found.append(np.stack([values, vectors[0] ** 2]))
    return np.stack(found)


def time_products(row: Row, problem: Problem, repeats: int) -> tuple[Times, str]:
    """Times gradients and products; each repeat takes every measurement once, in turn.

    Before each timing the same is done once untimed, so that caches hold what it needs. The
    gradient is free to use fused attention, which cannot be differentiated twice.
    """
    random = torch.Generator("cpu").manual_seed(0)
    vectors = torch.randn(BLOCK, problem.size, generator=random, device="cpu")
    vectors = vectors.to(problem.inputs.device)
    with sdpa_kernel(SDPBackend.MATH):
        graph = problem.gradient_graph()
        block = block_by_vmap if takes_vmap(problem, graph, vectors) else block_by_loop
        products = block(problem, graph, vectors)
        check_products(row.name, problem.hvp(vectors[0]), products[0])
        check_products(row.name, block_by_loop(problem, graph, vectors), products)

    def timed(work: Callable[[], Any]) -> float:
        work()
        return milliseconds(work)

    times: Times = {}
    for _ in range(repeats):
        found = {"gradient_ms": timed(problem.gradient)}
        with sdpa_kernel(SDPBackend.MATH):
            found["hvp_ms"] = timed(lambda: problem.hvp(vectors[0]))
            found["hvp_retained_ms"] = timed(lambda: problem.hvp(vectors[0], graph))
            found["block_ms"] = timed(lambda: block(problem, graph, vectors)) / BLOCK
        for name in ("hvp", "hvp_retained", "block"):
            found[f"{name}_in_gradients"] = found[f"{name}_ms"] / found["gradient_ms"]
        for name, value in found.items():
            times.setdefault(name, []).append(value)
    return times, "vmap" if block is block_by_vmap else "loop"


def time_solves(row: Row, problem: Problem, repeats: int) -> Times:
    """Times eigensolves and, for some networks, densities, of which there are fewer."""
    random = np.random.RandomState(0)
    times: Times = {"eigsh_ms": [], "eigsh_retained_ms": [], "eigsh_hvps": []}
    solve_top(problem, random, TOLERANCE, retain=False)
    for _ in range(repeats):
        for name, retain in (("eigsh_ms", False), ("eigsh_retained_ms", True)):
            start = time.perf_counter()
            _, products = solve_top(problem, random, TOLERANCE, retain)
            times[name].append(1e3 * (time.perf_counter() - start))
            times["eigsh_hvps"].append(float(products))
    if row in DENSITY_ROWS:
        density(problem, random)
        times["density_ms"] = [
            milliseconds(lambda: density(problem, random)) for _ in range(max(repeats // 4, 1))
        ]
    return times


def number(value: float) -> str:
    """Three digits, and those before the point."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def cell(result: dict[str, Any], name: str) -> str:
    """A median and its range; empty where it was not measured."""
    if name not in result:
        return ""
    median, least, greatest = (number(result[name][key]) for key in ("median", "min", "max"))
    return f"{median} ({least} to {greatest})"


def print_table(head: list[str], rows: list[list[str]]) -> None:
    """Prints a table in markdown."""
    widths = [max(len(line[i]) for line in [head, *rows]) for i in range(len(head))]
    for line in [head, ["-" * width for width in widths], *rows]:
        cells = [text.ljust(width) for text, width in zip(line, widths)]
        print(f"| {' | '.join(cells)} |")


def print_rows(results: list[dict[str, Any]]) -> None:
    """Prints every network's gradient and products, and the solves of those that have any."""
    print("\nmilliseconds: median (least to greatest)")
    lines = []
    for result in results:
        line = [result["network"], result["dataset"], f"{result['samples']}", result["loss"]]
        line += [f"{result['parameters']:,}", *(cell(result, name) for name in PRODUCTS)]
        lines.append([*line, result["block_by"]])
    head = ["network", "data", "samples", "loss", "parameters", *PRODUCTS.values(), "block by"]
    print_table(head, lines)

    solved = [result for result in results if "eigsh_ms" in result]
    if solved:
        print(f"\nsolves: eigsh, k = 1, which = LA, tolerance {TOLERANCE:g}")
        print(f"densities: {DENSITY_PROBES} probes of {DENSITY_STEPS} steps, graph retained")
        lines = [
            [result["network"], *(cell(result, name) for name in SOLVES)] for result in solved
        ]
        print_table(["network", *SOLVES.values()], lines)


def run_rows(names: list[str] | None, repeats: int, quick: bool) -> dict[str, Any]:
    """Times every network, or those named, and prints a table of them."""
    results = []
    for row in TANH_ROWS + OTHER_ROWS:
        if names is not None and row.name not in names:
            continue
        print(f"{row.name}, {row.samples} samples ...", flush=True)
        with torch.device("cpu"):
            problem = row.problem()
        move(problem)
        times, block_by = time_products(row, problem, repeats)
        if row in TANH_ROWS and not quick:
            times.update(time_solves(row, problem, repeats))
        result: dict[str, Any] = {
            "network": row.name,
            "model": row.spec,
            "dataset": row.dataset,
            "samples": row.samples,
            "loss": row.loss,
            "parameters": problem.size,
            "block_by": block_by,
        }
        result.update({name: summary(values) for name, values in times.items()})
        results.append(result)
    print_rows(results)
    return {"repeats": repeats, "block": BLOCK, "eigsh_tol": TOLERANCE, "results": results}


def train(run_dir: Path, steps: int, tolerance: float, retain: bool) -> Times:
    """Trains with an eigensolve before every update; what each step took and came to."""
    with torch.device("cpu"):
        run = load_run(run_dir, torch.float32)
    problem = run.problem
    move(problem)
    rate = float(run.config["lr"])
    random = np.random.RandomState(0)
    # Warm-up, on the initial parameters, which it leaves as they are.
    problem.gradient()
    solve_top(problem, random, tolerance, retain)

    names = ["eigsh_s", "update_s", "hvps", "train_loss", "sharpness"]
    trace: Times = {name: [] for name in names}
    for _ in range(steps):
        start = time.perf_counter()
        value, products = solve_top(problem, random, tolerance, retain)
        solved = time.perf_counter()
        loss, gradient = problem.gradient()
        problem.step(gradient, -rate)
        finish()
        end = time.perf_counter()
        step = [solved - start, end - solved, float(products), loss.item(), value]
        for name, found in zip(names, step):
            trace[name].append(found)
    return trace


def first_steps(traces: list[Times], steps: int) -> dict[str, Any]:
    """What the first steps of repeated runs took."""
    names = ["eigsh_s", "update_s", "hvps"]
    sums = [[sum(trace[name][:steps]) for trace in traces] for name in names]
    eigsh, update, products = np.array(sums)
    measured = {
        "total_s": eigsh + update,
        "eigsh_ms": 1e3 * eigsh / steps,
        "update_ms": 1e3 * update / steps,
        "hvps_per_step": products / steps,
    }
    return {name: summary(values.tolist()) for name, values in measured.items()}


def run_training(
    run_dir: Path, marks: list[int], tolerance: float, repeats: int
) -> dict[str, Any]:
    """Trains with the graph rebuilt and retained in turn, and prints what the steps took."""
    traces: dict[str, list[Times]] = {"rebuilt": [], "retained": []}
    for _ in range(repeats):
        for graph, done in traces.items():
            done.append(train(run_dir, max(marks), tolerance, retain=graph == "retained"))
            seconds = sum(done[-1]["eigsh_s"]) + sum(done[-1]["update_s"])
            print(f"{max(marks)} steps, graph {graph}: {seconds:.3f} s", flush=True)
    results = [
        {"steps": steps, "graph": graph, **first_steps(done, steps)}
        for steps in sorted(marks)
        for graph, done in traces.items()
    ]

    with torch.device("cpu"):
        run = load_run(run_dir, torch.float32)
    print(f"\n{run.problem.size:,} parameters; median (least to greatest)")
    print(f"solves: eigsh, k = 1, which = LA, tolerance {tolerance:g}")
    print_table(
        ["steps", "graph", *TRAINING.values()],
        [
            [f"{result['steps']}", result["graph"], *(cell(result, name) for name in TRAINING)]
            for result in results
        ],
    )
    last = traces["retained"][-1]
    return {
        "config": run.config,
        "parameters": run.problem.size,
        "repeats": repeats,
        "eigsh_tol": tolerance,
        "results": results,
        "train_loss": last["train_loss"],
        "sharpness": last["sharpness"],
    }


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description="Times PyTorch (eager, float32) at the work that sharpscope does."
    )
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="where (cpu)")
    parser.add_argument("--threads", type=int, default=2, help="PyTorch's threads (2)")
    parser.add_argument(
        "--repeats",
        type=int,
        help=f"timings of each kind ({REPEATS}; {TRAIN_REPEATS} of training)",
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the numbers as JSON too"
    )
    names = sorted({row.name for row in TANH_ROWS + OTHER_ROWS})
    parser.add_argument(
        "--rows",
        nargs="+",
        choices=names,
        metavar="NAME",
        help=f"only some of {', '.join(names)}",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="a few timings, and no solves, to see that all works",
    )
    parser.add_argument(
        "--train", type=Path, metavar="RUN_DIR", help="train this run's problem instead"
    )
    parser.add_argument(
        "--steps", type=int, nargs="+", metavar="N", help="updates to time, with --train"
    )
    parser.add_argument(
        "--tol", type=float, default=TOLERANCE, help="eigsh's tolerance, with --train (1e-3)"
    )
    arguments = parser.parse_args()
    if (arguments.train is None) != (arguments.steps is None):
        parser.error("--train and --steps go together")
    if arguments.train is not None and (arguments.quick or arguments.rows):
        parser.error("--rows and --quick do not go with --train")
    if arguments.repeats is None:
        usual = REPEATS if arguments.train is None else TRAIN_REPEATS
        arguments.repeats = QUICK_REPEATS if arguments.quick else usual
    if min([arguments.repeats, *(arguments.steps or [])]) < 1:
        parser.error("--repeats and --steps must be at least 1")
    return arguments


def main() -> None:
    """Runs the mode that the command line names."""
    arguments = parse_arguments()
    torch.set_num_threads(arguments.threads)
    # Convolutions would be rounded to ten bits, which the others are not.
    torch.backends.cudnn.allow_tf32 = False
    torch.set_default_device(arguments.device)
    where = f"{arguments.threads} threads"
    if arguments.device == "cuda":
        where = torch.cuda.get_device_name()
    print(f"torch {torch.__version__}, scipy {scipy.__version__}, {where}")
    if arguments.train is None:
        measured = run_rows(arguments.rows, arguments.repeats, arguments.quick)
    else:
        measured = run_training(
            arguments.train, arguments.steps, arguments.tol, arguments.repeats
        )
    if arguments.json is not None:
        header = {
            "made_by": MADE_BY,
            "torch": torch.__version__,
            "scipy": scipy.__version__,
            "threads": arguments.threads,
            "device": where,
        }
        write_json(arguments.json, {**header, **measured})


if __name__ == "__main__":
    main()
