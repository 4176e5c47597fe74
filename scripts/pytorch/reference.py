"""Reference numbers for sharpscope's tests, computed with PyTorch and SciPy in float64.

Two modes:

    reference.py RUN_DIR OUT.json [--steps 200] [--sharpness-at 0 100 200] [--top 3]
        Starts from the initial weights of a sharpscope run directory, trains by full-batch
        gradient descent, and records losses, gradient norms and the top Hessian eigenvalues.

    reference.py --activations OUT.json
        For one small fixed problem, records the loss, gradient, Hessian-vector product and all
        Hessian eigenvalues for every activation and both losses.

Nothing here is shared with the Rust code: derivatives come from PyTorch's autograd, and
eigenvalues from ARPACK (first mode) or LAPACK (second mode).
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from scipy.sparse.linalg import LinearOperator, eigsh

REPOSITORY = Path(__file__).resolve().parents[2]
DIGITS = REPOSITORY / "datasets" / "digits.csv.gz"
CLASSES = 10
PIXEL_MAX = 16.0
MADE_BY = "scripts/pytorch/reference.py"

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "tanh": torch.tanh,
    "relu": F.relu,
    "gelu": F.gelu,  # the exact one, with erf
    "elu": F.elu,  # alpha = 1
    "softplus": F.softplus,  # beta = 1
    "silu": F.silu,
    "identity": lambda x: x,
}
LOSSES = ("mse", "ce")


@dataclass
class Problem:
    """A multilayer perceptron, its data and its loss, as a function of the parameters.

    `parameters` lists weight, bias, weight, bias, ... (or only the weights, without biases).
    """

    parameters: list[torch.Tensor]
    inputs: torch.Tensor
    labels: torch.Tensor
    activation: str
    loss: str
    bias: bool = True

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise SystemExit(f"unknown activation {self.activation!r}")
        if self.loss not in LOSSES:
            raise SystemExit(f"unknown loss {self.loss!r}")
        self.parameters = [p.detach().clone().requires_grad_() for p in self.parameters]
        self.training_targets: torch.Tensor | None = None

    @property
    def size(self) -> int:
        """The number of parameters."""
        return sum(p.numel() for p in self.parameters)

    def forward(
        self, inputs: torch.Tensor, record: list[torch.Tensor] | None = None
    ) -> torch.Tensor:
        """The network's outputs; appends the hidden pre-activations to `record` if given."""
        stride = 2 if self.bias else 1
        layers = len(self.parameters) // stride
        x = inputs
        for layer in range(layers):
            weight = self.parameters[stride * layer]
            bias = self.parameters[stride * layer + 1] if self.bias else None
            x = F.linear(x, weight, bias)
            if layer < layers - 1:
                if record is not None:
                    record.append(x)
                x = ACTIVATIONS[self.activation](x)
        return x

    def targets(self, labels: torch.Tensor, outputs: torch.Tensor) -> torch.Tensor:
        """One-hot labels in the shape of the outputs; those of training samples are made once."""
        if labels is self.labels and self.training_targets is not None:
            return self.training_targets
        targets = F.one_hot(labels, outputs.shape[1]).to(outputs.dtype)
        if labels is self.labels:
            self.training_targets = targets
        return targets

    def loss_on(self, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The mean loss on the given samples."""
        outputs = self.forward(inputs)
        if self.loss == "ce":
            return F.cross_entropy(outputs, labels)
        return 0.5 * (outputs - self.targets(labels, outputs)).square().sum(dim=1).mean()

    def gradient(self) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """The training loss and its gradient, one tensor for each parameter tensor."""
        loss = self.loss_on(self.inputs, self.labels)
        return loss.detach(), list(torch.autograd.grad(loss, self.parameters))

    def gradient_graph(self) -> list[torch.Tensor]:
        """The gradient of the training loss, with the graph to differentiate it again."""
        loss = self.loss_on(self.inputs, self.labels)
        return list(torch.autograd.grad(loss, self.parameters, create_graph=True))

    def hvp(
        self, vector: torch.Tensor, graph: list[torch.Tensor] | None = None
    ) -> torch.Tensor:
        """Hessian of the training loss times a flat vector, by double backward.

        `graph` is the result of `gradient_graph` at the present parameters; it is kept, so that
        it can serve many products. Without it the graph is built and dropped here.
        """
        gradient = self.gradient_graph() if graph is None else graph
        products = torch.autograd.grad(
            gradient,
            self.parameters,
            grad_outputs=self.unflatten(vector),
            retain_graph=graph is not None,
            materialize_grads=True,
        )
        return flatten(products)

    def unflatten(self, vector: torch.Tensor) -> list[torch.Tensor]:
        """Cuts a flat vector into tensors with the parameters' shapes."""
        parts = vector.split([p.numel() for p in self.parameters])
        return [part.view_as(p) for part, p in zip(parts, self.parameters)]

    def step(self, update: list[torch.Tensor], scale: float) -> None:
        """Adds `scale * update` to the parameters in place."""
        with torch.no_grad():
            for parameter, direction in zip(self.parameters, update):
                parameter.add_(direction, alpha=scale)


def flatten(tensors: list[torch.Tensor] | tuple[torch.Tensor, ...]) -> torch.Tensor:
    """Joins tensors into one flat vector, each in row-major order."""
    return torch.cat([t.detach().reshape(-1) for t in tensors])


def load_digits(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """The digits data in file order: pixels divided by 16, and labels."""
    with gzip.open(DIGITS, "rt", encoding="ascii") as file:
        table = np.loadtxt(file, delimiter=",", dtype=np.int64)
    inputs = torch.from_numpy(table[:, :-1]).to(dtype) / PIXEL_MAX
    return inputs, torch.from_numpy(table[:, -1].copy())


# What of the configuration decides the numbers written.
PROBLEM_KEYS = ("model", "dataset", "loss", "train_size", "validation_size", "optimizer", "lr", "seed")


@dataclass
class Run:
    """What a run directory says: its configuration, the problem and the validation data."""

    config: dict[str, Any]
    problem: Problem
    validation_inputs: torch.Tensor
    validation_labels: torch.Tensor


def load_run(run_dir: Path, dtype: torch.dtype) -> Run:
    """Reads `manifest.json` and `init.safetensors`, and takes the data's rows they name."""
    manifest = json.loads((run_dir / "manifest.json").read_text(encoding="utf-8"))
    config = manifest["config"]
    model = config["model"]
    if model["kind"] != "mlp":
        raise SystemExit(f"this script knows only the model kind 'mlp', not {model['kind']!r}")
    if config.get("standardize", False):
        raise SystemExit("this script does not standardize inputs; use a run without it")

    inputs, labels = load_digits(dtype)
    train = torch.tensor(manifest["train_indices"], dtype=torch.int64)
    validation = torch.tensor(manifest["validation_indices"], dtype=torch.int64)

    bias = model.get("bias", True)
    widths = [inputs.shape[1], *model["hidden"], CLASSES]
    tensors = load_file(run_dir / "init.safetensors")
    expected: dict[str, tuple[int, ...]] = {}
    for layer, (fan_in, fan_out) in enumerate(zip(widths, widths[1:])):
        expected[f"layers.{layer}.weight"] = (fan_out, fan_in)
        if bias:
            expected[f"layers.{layer}.bias"] = (fan_out,)
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if found != expected:
        raise SystemExit(f"init.safetensors holds {found}, but the manifest asks for {expected}")

    problem = Problem(
        parameters=[tensors[name].to(dtype) for name in expected],
        inputs=inputs[train],
        labels=labels[train],
        activation=model["activation"],
        loss=config["loss"],
        bias=bias,
    )
    return Run(config, problem, inputs[validation], labels[validation])


def top_eigenvalues(problem: Problem, count: int) -> list[float]:
    """The largest algebraic Hessian eigenvalues, in falling order, with checked residuals."""
    graph = problem.gradient_graph()

    def multiply(vector: np.ndarray) -> np.ndarray:
        return problem.hvp(torch.from_numpy(vector.ravel().copy()), graph).numpy()

    operator = LinearOperator((problem.size,) * 2, matvec=multiply, dtype=np.float64)
    start = np.random.RandomState(0).standard_normal(problem.size)
    values, vectors = eigsh(operator, k=count, which="LA", tol=1e-10, v0=start)
    for value, vector in zip(values, vectors.T):
        residual = np.linalg.norm(multiply(vector) - value * vector)
        assert residual <= 1e-8 * np.abs(values).max(), f"eigenpair residual {residual:.3e}"
    return sorted(values.tolist(), reverse=True)


def train_reference(
    run_dir: Path, steps: int, sharpness_at: list[int], top: int
) -> dict[str, Any]:
    """Trains from the run's initial weights; index t of each list is before update t."""
    run = load_run(run_dir, torch.float64)
    problem = run.problem
    rate = float(run.config["lr"])
    initial = flatten(problem.parameters)
    has_validation = len(run.validation_labels) > 0

    train_loss: list[float] = []
    val_loss: list[float] = []
    grad_norm: list[float] = []
    sharpness: dict[str, list[float]] = {}
    for step in range(steps + 1):
        loss, gradient = problem.gradient()
        train_loss.append(loss.item())
        grad_norm.append(flatten(gradient).norm().item())
        if has_validation:
            with torch.no_grad():
                held_out = problem.loss_on(run.validation_inputs, run.validation_labels)
            val_loss.append(held_out.item())
        if step in sharpness_at:
            sharpness[str(step)] = top_eigenvalues(problem, top)
        if step < steps:
            problem.step(gradient, -rate)

    return {
        "made_by": MADE_BY,
        "torch": torch.__version__,
        "scipy": scipy.__version__,
        "config": {key: run.config[key] for key in PROBLEM_KEYS},
        "parameters": problem.size,
        "initial_parameter_sum": initial.sum().item(),
        "initial_parameter_norm": initial.norm().item(),
        "train_loss": train_loss,
        "val_loss": val_loss,
        "grad_norm": grad_norm,
        "sharpness": sharpness,
    }


def check_hvp_by_differences(problem: Problem, vector: torch.Tensor) -> None:
    """Asserts that the HVP agrees with a central difference of the gradient."""
    product = problem.hvp(vector)
    direction = problem.unflatten(vector)
    width = 1e-5
    problem.step(direction, width)
    ahead = flatten(problem.gradient()[1])
    problem.step(direction, -2.0 * width)
    behind = flatten(problem.gradient()[1])
    problem.step(direction, width)
    difference = (ahead - behind) / (2.0 * width)
    error = ((difference - product).norm() / product.norm()).item()
    name = f"{problem.activation}/{problem.loss}"
    assert error < 1e-7, f"{name}: HVP differs from finite differences by {error:.3e}"


def dense_hessian(problem: Problem) -> torch.Tensor:
    """The Hessian, one product with a unit vector at a time; asserts its symmetry."""
    graph = problem.gradient_graph()
    units = torch.eye(problem.size, dtype=torch.float64)
    hessian = torch.stack([problem.hvp(unit, graph) for unit in units])
    gap = (hessian - hessian.T).abs().max().item()
    assert gap < 1e-12 * max(1.0, hessian.abs().max().item()), f"asymmetry {gap:.3e}"
    return 0.5 * (hessian + hessian.T)


def activation_reference() -> dict[str, Any]:
    """One small fixed problem, evaluated with every activation and loss."""
    widths = [5, 7, 6, 3]
    samples = 12
    random = np.random.RandomState(0)

    def draw(*shape: int, scale: float = 1.0) -> torch.Tensor:
        """Normal numbers rounded to three decimals, so that JSON holds them exactly."""
        return torch.from_numpy(np.round(scale * random.standard_normal(shape), 3))

    names: list[str] = []
    parameters: list[torch.Tensor] = []
    for layer, (fan_in, fan_out) in enumerate(zip(widths, widths[1:])):
        names += [f"layers.{layer}.weight", f"layers.{layer}.bias"]
        parameters += [draw(fan_out, fan_in, scale=fan_in**-0.5), draw(fan_out, scale=0.3)]
    inputs = draw(samples, widths[0])
    labels = torch.from_numpy(random.randint(0, widths[-1], size=samples))
    vector = draw(sum(p.numel() for p in parameters))

    cases = []
    for activation in ACTIVATIONS:
        for loss in LOSSES:
            problem = Problem(parameters, inputs, labels, activation, loss)
            if activation in ("relu", "elu"):
                check_no_kinks(problem)
            check_hvp_by_differences(problem, vector)
            value, gradient = problem.gradient()
            cases.append(
                {
                    "activation": activation,
                    "loss": loss,
                    "value": value.item(),
                    "gradient": flatten(gradient).tolist(),
                    "hvp": problem.hvp(vector).tolist(),
                    "eigenvalues": torch.linalg.eigvalsh(dense_hessian(problem)).tolist(),
                }
            )

    return {
        "made_by": f"{MADE_BY} --activations",
        "torch": torch.__version__,
        "widths": widths,
        "parameters": sum(p.numel() for p in parameters),
        "weights": {name: p.tolist() for name, p in zip(names, parameters)},
        "inputs": inputs.tolist(),
        "labels": labels.tolist(),
        "vector": vector.tolist(),
        "cases": cases,
    }


def check_no_kinks(problem: Problem) -> None:
    """Asserts that no hidden pre-activation is so near zero that a kink could matter."""
    hidden: list[torch.Tensor] = []
    with torch.no_grad():
        problem.forward(problem.inputs, record=hidden)
    nearest = min(h.abs().min().item() for h in hidden)
    assert nearest > 1e-4, f"{problem.activation}: a pre-activation is {nearest:.3e} from zero"


def to_json(value: Any, indent: str = "") -> str:
    """JSON with objects spread over lines and every list of numbers on one line."""
    inner = indent + "  "
    if isinstance(value, dict) and value:
        items = [f"{inner}{json.dumps(k)}: {to_json(v, inner)}" for k, v in value.items()]
        return "{\n" + ",\n".join(items) + "\n" + indent + "}"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        items = [inner + to_json(v, inner) for v in value]
        return "[\n" + ",\n".join(items) + "\n" + indent + "]"
    return json.dumps(value, allow_nan=False)


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Writes a JSON file; refuses values that are not finite."""
    path.write_text(to_json(value) + "\n", encoding="utf-8")


def parse_arguments() -> argparse.Namespace:
    """Reads the command line and checks that it names one of the two modes."""
    parser = argparse.ArgumentParser(
        description="Makes the float64 reference numbers that sharpscope's tests compare with."
    )
    parser.add_argument("run_dir", nargs="?", type=Path, help="a sharpscope run directory")
    parser.add_argument("out", nargs="?", type=Path, help="the JSON file to write")
    parser.add_argument("--steps", type=int, default=200, help="updates to make (200)")
    parser.add_argument(
        "--sharpness-at",
        type=int,
        nargs="+",
        default=[0, 100, 200],
        metavar="STEP",
        help="steps at which to solve for eigenvalues (0 100 200)",
    )
    parser.add_argument("--top", type=int, default=3, help="eigenvalues for each solve (3)")
    parser.add_argument(
        "--activations",
        type=Path,
        metavar="OUT",
        help="write the small problem with every activation to this file instead",
    )
    arguments = parser.parse_args()
    if arguments.activations is not None:
        if arguments.run_dir is not None:
            parser.error("--activations takes no run directory")
    elif arguments.out is None:
        parser.error("give RUN_DIR and OUT.json, or --activations OUT.json")
    elif not all(0 <= step <= arguments.steps for step in arguments.sharpness_at):
        parser.error(f"--sharpness-at must lie between 0 and --steps ({arguments.steps})")
    return arguments


def main() -> None:
    """Runs the mode that the command line names."""
    arguments = parse_arguments()
    torch.set_num_threads(1)  # the order of sums, and so the last bits, then stays the same
    if arguments.activations is not None:
        write_json(arguments.activations, activation_reference())
        return
    result = train_reference(
        arguments.run_dir, arguments.steps, arguments.sharpness_at, arguments.top
    )
    write_json(arguments.out, result)


if __name__ == "__main__":
    main()
