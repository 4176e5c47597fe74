"""PyTorch's times for the work that sharpscope does, on the CPU, eager, in float32.

Two modes:

    bench.py [--threads 2] [--repeats 20] [--out FILE.json]
        Times the gradient, the Hessian-vector product, a cold eigensolve and, for the smaller ones,
        the spectral density for tanh networks of several sizes, on the first 1,000 digits with the
        mse loss, at PyTorch's initialization.

    bench.py --train RUN_DIR --steps N [--tol 1e-3] [--retain-graph] [--threads 2] [--out FILE]
        Trains a run directory's problem by full-batch gradient descent with a cold eigensolve
        before every update (as Cohen et al. 2021 measure sharpness), and prints the time a step.

Two Hessian-vector products are timed. The plain one builds the gradient's graph, differentiates
it and drops it, as Cohen et al.'s code does. The "retained" one differentiates a graph that was
built once at the same parameters, which is the cheapest that eager PyTorch offers.
"""

from __future__ import annotations

import argparse
import os
import time
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

from reference import CLASSES, Problem, load_digits, load_run, write_json  # noqa: E402

MADE_BY = "scripts/pytorch/bench.py"
SAMPLES = 1000
TOLERANCE = 1e-3
WARM_UP = 3
DENSITY_HIDDEN = [[64, 64], [256, 256]]
DENSITY_PROBES = 10
DENSITY_STEPS = 80
HIDDEN = [[64, 64], [128, 128], [256, 256], [512, 512, 256], [768, 640, 160]]


def make_problem(hidden: list[int]) -> Problem:
    """A tanh network with `torch.nn.Linear`'s initialization on the first 1,000 digits."""
    inputs, labels = load_digits(torch.float32)
    torch.manual_seed(0)
    widths = [inputs.shape[1], *hidden, CLASSES]
    parameters: list[torch.Tensor] = []
    for fan_in, fan_out in zip(widths, widths[1:]):
        layer = torch.nn.Linear(fan_in, fan_out)
        parameters += [layer.weight, layer.bias]
    return Problem(parameters, inputs[:SAMPLES], labels[:SAMPLES], "tanh", "mse")


def milliseconds(work: Callable[[], Any]) -> float:
    """The wall-clock time of one call."""
    start = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - start)


def summary(values: list[float]) -> dict[str, float]:
    """Median, minimum and maximum."""
    return {
        "median": float(np.median(values)),
        "min": float(np.min(values)),
        "max": float(np.max(values)),
    }


def solve_top(
    problem: Problem, random: np.random.RandomState, tolerance: float, retain: bool
) -> tuple[float, int]:
    """The top eigenvalue by `eigsh` from a random start, and the products it took."""
    graph = problem.gradient_graph() if retain else None
    products = 0

    def multiply(vector: np.ndarray) -> np.ndarray:
        nonlocal products
        products += 1
        return problem.hvp(torch.from_numpy(vector.ravel().copy()), graph).numpy()

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
        basis[0] = torch.from_numpy(random.choice([-1.0, 1.0], problem.size))
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


def measure(hidden: list[int], repeats: int) -> dict[str, Any]:
    """Times one network; each repeat takes every measurement once, in turn."""
    problem = make_problem(hidden)
    random = np.random.RandomState(0)
    vector = torch.from_numpy(random.standard_normal(problem.size).astype(np.float32))
    graph = problem.gradient_graph()
    for _ in range(WARM_UP):
        problem.gradient()
        problem.hvp(vector)
        problem.hvp(vector, graph)
    solve_top(problem, random, TOLERANCE, retain=False)

    names = ["gradient_ms", "hvp_ms", "hvp_retained_ms", "ratio", "ratio_retained"]
    names += ["eigsh_ms", "eigsh_retained_ms", "eigsh_hvps"]
    times: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(repeats):
        gradient = milliseconds(problem.gradient)
        hvp = milliseconds(lambda: problem.hvp(vector))
        retained = milliseconds(lambda: problem.hvp(vector, graph))
        times["gradient_ms"].append(gradient)
        times["hvp_ms"].append(hvp)
        times["hvp_retained_ms"].append(retained)
        times["ratio"].append(hvp / gradient)
        times["ratio_retained"].append(retained / gradient)
        for name, retain in (("eigsh_ms", False), ("eigsh_retained_ms", True)):
            start = time.perf_counter()
            _, products = solve_top(problem, random, TOLERANCE, retain)
            times[name].append(1e3 * (time.perf_counter() - start))
            times["eigsh_hvps"].append(float(products))

    if hidden in DENSITY_HIDDEN:
        density(problem, random)
        times["density_ms"] = [
            milliseconds(lambda: density(problem, random)) for _ in range(max(repeats // 4, 1))
        ]

    result: dict[str, Any] = {"config": hidden, "parameters": problem.size}
    result.update({name: summary(values) for name, values in times.items()})
    return result


def print_row(result: dict[str, Any]) -> None:
    """One network's medians, each with its range."""
    print(f"hidden {result['config']}, {result['parameters']:,} parameters")
    for name, value in result.items():
        if isinstance(value, dict):
            low, high = f"{value['min']:.3f}", f"{value['max']:.3f}"
            print(f"  {name:<18} {value['median']:>10.3f}   {low:>10} .. {high}")


def run_sizes(repeats: int) -> dict[str, Any]:
    """Times every network and prints a row for each."""
    print(f"{'':<20} {'median':>10}   {'min':>10} .. max")
    results = []
    for hidden in HIDDEN:
        results.append(measure(hidden, repeats))
        print_row(results[-1])
    return {
        "loss": "mse",
        "activation": "tanh",
        "samples": SAMPLES,
        "repeats": repeats,
        "eigsh_tol": TOLERANCE,
        "results": results,
    }


def run_training(run_dir: Path, steps: int, tolerance: float, retain: bool) -> dict[str, Any]:
    """Trains with an eigensolve before every update, and prints where the time went."""
    run = load_run(run_dir, torch.float32)
    problem = run.problem
    rate = float(run.config["lr"])
    random = np.random.RandomState(0)
    # Warm-up, on the initial parameters, which it leaves as they are.
    problem.gradient()
    solve_top(problem, random, tolerance, retain)

    train_loss: list[float] = []
    sharpness: list[float] = []
    gradient_seconds = 0.0
    eigsh_seconds = 0.0
    products = 0
    for _ in range(steps):
        start = time.perf_counter()
        value, count = solve_top(problem, random, tolerance, retain)
        solved = time.perf_counter()
        loss, gradient = problem.gradient()
        problem.step(gradient, -rate)
        end = time.perf_counter()
        sharpness.append(value)
        train_loss.append(loss.item())
        products += count
        eigsh_seconds += solved - start
        gradient_seconds += end - solved

    total = gradient_seconds + eigsh_seconds
    graph = "retained in each solve" if retain else "rebuilt for each product"
    print(f"{steps} steps, {problem.size:,} parameters, eigsh k=1 LA tol={tolerance:g}")
    print(f"  graph {graph}")
    print(f"  total                 {total:10.3f} s")
    print(f"  a step                {1e3 * total / steps:10.3f} ms")
    print(f"    eigensolve          {1e3 * eigsh_seconds / steps:10.3f} ms")
    print(f"    gradient and update {1e3 * gradient_seconds / steps:10.3f} ms")
    print(f"  products a step       {products / steps:10.2f}")
    print(f"  last loss {train_loss[-1]:.6f}, last sharpness {sharpness[-1]:.4f}")
    return {
        "config": run.config,
        "parameters": problem.size,
        "steps": steps,
        "eigsh_tol": tolerance,
        "graph_retained": retain,
        "total_s": total,
        "step_ms": 1e3 * total / steps,
        "eigsh_ms": 1e3 * eigsh_seconds / steps,
        "gradient_ms": 1e3 * gradient_seconds / steps,
        "hvps_per_step": products / steps,
        "train_loss": train_loss,
        "sharpness": sharpness,
    }


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description="Times PyTorch (CPU, eager, float32) at the work that sharpscope does."
    )
    parser.add_argument("--threads", type=int, default=2, help="PyTorch's threads (2)")
    parser.add_argument("--repeats", type=int, default=20, help="timings of each kind (20)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the numbers as JSON too")
    parser.add_argument(
        "--train", type=Path, metavar="RUN_DIR", help="train this run's problem instead"
    )
    parser.add_argument("--steps", type=int, help="updates to make, with --train")
    parser.add_argument(
        "--tol", type=float, default=TOLERANCE, help="eigsh's tolerance, with --train (1e-3)"
    )
    parser.add_argument(
        "--retain-graph",
        action="store_true",
        help="with --train, build the gradient's graph once for each eigensolve",
    )
    arguments = parser.parse_args()
    if (arguments.train is None) != (arguments.steps is None):
        parser.error("--train and --steps go together")
    if arguments.repeats < 1 or (arguments.steps is not None and arguments.steps < 1):
        parser.error("--repeats and --steps must be at least 1")
    return arguments


def main() -> None:
    """Runs the mode that the command line names."""
    arguments = parse_arguments()
    torch.set_num_threads(arguments.threads)
    print(f"torch {torch.__version__}, scipy {scipy.__version__}, {arguments.threads} threads")
    if arguments.train is None:
        measured = run_sizes(arguments.repeats)
    else:
        measured = run_training(
            arguments.train, arguments.steps, arguments.tol, arguments.retain_graph
        )
    if arguments.out is not None:
        header = {
            "made_by": MADE_BY,
            "torch": torch.__version__,
            "scipy": scipy.__version__,
            "threads": arguments.threads,
        }
        write_json(arguments.out, {**header, **measured})


if __name__ == "__main__":
    main()
