"""Reference trajectories and learning rates for sharpscope's tests, from PyTorch in float64.

    optimizers.py OUT.json

Trains one small network from fixed weights with every optimizer and records the loss before each
update and the parameters after the last; and records the rates of PyTorch's schedulers.

Nothing here is shared with the Rust code. PyTorch's own classes are used where they exist;
momentum as a mean and the ascent of SAM and ASAM are written out below.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.optim import lr_scheduler

from reference import Problem, flatten, write_json

MADE_BY = "scripts/pytorch/optimizers.py"
STEPS = 50
WIDTHS = [3, 5, 3]
SAMPLES = 10
# What ASAM adds to |w| (Kwon et al. 2021).
LEAST_SCALE = 0.01

Case = dict[str, Any]


class EmaMomentum(torch.optim.Optimizer):
    """m = momentum m + (1 - momentum) g; w -= lr m; from m = 0. Weight decay is added to g."""

    def __init__(
        self, parameters: list[torch.Tensor], lr: float, momentum: float, weight_decay: float
    ) -> None:
        super().__init__(
            parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        )

    @torch.no_grad()
    def step(self) -> None:
        """One update from the gradients in `grad`."""
        for group in self.param_groups:
            beta = group["momentum"]
            for w in group["params"]:
                gradient = w.grad + group["weight_decay"] * w
                mean = self.state[w].get("mean", torch.zeros_like(w))
                self.state[w]["mean"] = beta * mean + (1.0 - beta) * gradient
                w -= group["lr"] * self.state[w]["mean"]


def build(case: Case, parameters: list[torch.Tensor]) -> torch.optim.Optimizer:
    """The optimizer of a case; for SAM and ASAM their base."""
    options = {"lr": case["lr"], "weight_decay": case["weight_decay"]}
    name = case.get("base", case["optimizer"])
    if name in ("momentum", "nesterov", "ema-momentum"):
        options["momentum"] = case["momentum"]
    if name in ("adam", "adamw", "nadam"):
        options["betas"] = (case["beta1"], case["beta2"])
    if name == "rmsprop":
        options["alpha"] = case["beta2"]
    if "eps" in case:
        options["eps"] = case["eps"]
    if name == "nesterov":
        options["nesterov"] = True
    classes = {
        "sgd": torch.optim.SGD,
        "momentum": torch.optim.SGD,
        "nesterov": torch.optim.SGD,
        "ema-momentum": EmaMomentum,
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
        "nadam": torch.optim.NAdam,
        "rmsprop": torch.optim.RMSprop,
        "adagrad": torch.optim.Adagrad,
    }
    return classes[name](parameters, **options)


def ascent(case: Case, w: list[torch.Tensor], g: list[torch.Tensor]) -> list[torch.Tensor]:
    """What SAM or ASAM adds to the parameters `w` before it takes the gradient to descend."""
    if case["optimizer"] == "sam":
        scale = [torch.ones_like(p) for p in w]
    else:
        scale = [p.abs() + LEAST_SCALE for p in w]
    length = flatten([t * d for t, d in zip(scale, g)]).norm()
    return [case["rho"] * t**2 * d / length for t, d in zip(scale, g)]


def preconditioner(
    name: str, optimizer: torch.optim.Optimizer, case: Case, parameters: list[torch.Tensor]
) -> torch.Tensor | None:
    """What the latest update divided by, from PyTorch's state; None where it does not divide."""
    states = [optimizer.state[p] for p in parameters]
    if name in ("adam", "adamw", "nadam"):
        corrections = [1.0 - case["beta2"] ** s["step"].item() for s in states]
        squares = [s["exp_avg_sq"] / c for s, c in zip(states, corrections)]
    elif name == "rmsprop":
        squares = [s["square_avg"] for s in states]
    elif name == "adagrad":
        squares = [s["sum"] for s in states]
    else:
        return None
    return flatten(squares).sqrt() + case["eps"]


def trajectory(
    case: Case, weights: list[torch.Tensor], inputs: torch.Tensor, labels: torch.Tensor
) -> Case:
    """Trains for STEPS updates; the rate is multiplied by `rate_factor` after each."""
    problem = Problem(weights, inputs, labels, "tanh", case["loss"])
    optimizer = build(case, problem.parameters)
    schedule = lr_scheduler.ExponentialLR(optimizer, case["rate_factor"])
    losses = []
    perturbed = None
    for _ in range(STEPS):
        loss, gradient = problem.gradient()
        losses.append(loss.item())
        if "rho" in case:
            start = [p.detach().clone() for p in problem.parameters]
            problem.step(ascent(case, start, gradient), 1.0)
            perturbed = flatten(problem.parameters)
            _, gradient = problem.gradient()
            with torch.no_grad():
                for p, s in zip(problem.parameters, start):
                    p.copy_(s)
        for p, g in zip(problem.parameters, gradient):
            p.grad = g
        optimizer.step()
        schedule.step()
    losses.append(problem.gradient()[0].item())
    assert losses[-1] < losses[0], f"the loss of {case} rose"
    base = case.get("base", case["optimizer"])
    found = {
        "preconditioner": preconditioner(base, optimizer, case, problem.parameters),
        "perturbed": perturbed,
    }
    return case | {
        "losses": losses,
        "final": flatten(problem.parameters).tolist(),
        **{key: value.tolist() for key, value in found.items() if value is not None},
    }


def cases() -> list[Case]:
    """Each optimizer plain and at a constant rate, and with weight decay and a falling rate."""
    plain = {"loss": "mse", "weight_decay": 0.0, "rate_factor": 1.0}
    decayed = {"loss": "ce", "weight_decay": 0.02, "rate_factor": 0.98}
    adam = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "lr": 0.02}
    # A large epsilon, so that its place is seen.
    other_adam = {"beta1": 0.8, "beta2": 0.95, "eps": 1e-2, "lr": 0.05}
    found = [
        {"optimizer": "sgd", "lr": 0.2, **plain},
        {"optimizer": "sgd", "lr": 0.3, **decayed},
        {"optimizer": "adam", **adam, **plain},
        {"optimizer": "adam", **other_adam, **decayed},
        {"optimizer": "adamw", **adam, **plain},
        {"optimizer": "adamw", **other_adam, **decayed | {"weight_decay": 0.3}},
        {"optimizer": "nadam", **adam, **plain},
        {"optimizer": "nadam", **other_adam, **decayed},
        {"optimizer": "rmsprop", "lr": 0.005, "beta2": 0.99, "eps": 1e-8, **plain},
        {"optimizer": "rmsprop", "lr": 0.02, "beta2": 0.9, "eps": 1e-2, **decayed},
        {"optimizer": "adagrad", "lr": 0.05, "eps": 1e-10, **plain},
        {"optimizer": "adagrad", "lr": 0.1, "eps": 1e-2, **decayed},
    ]
    for name, rate in (("momentum", 0.05), ("nesterov", 0.05), ("ema-momentum", 0.4)):
        found += [
            {"optimizer": name, "lr": rate, "momentum": 0.9, **plain},
            {"optimizer": name, "lr": 2.0 * rate, "momentum": 0.6, **decayed},
        ]
    for name, rho in (("sam", 0.1), ("asam", 0.5)):
        for base, options in (
            ("sgd", {"lr": 0.2}),
            ("momentum", {"lr": 0.05, "momentum": 0.9}),
            ("adam", other_adam),
        ):
            case = {"optimizer": name, "base": base, "rho": rho, **options}
            found += [case | plain, case | decayed]
    return found


def rates(
    kind: str, steps: int, warmup: int, final_lr: float, factor: float, every: int
) -> dict[str, Any]:
    """The rates of steps 0 to `steps` by PyTorch's schedulers."""
    lr = 0.3
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    span = steps - warmup
    after: dict[str, Callable[[], lr_scheduler.LRScheduler]] = {
        "constant": lambda: lr_scheduler.ConstantLR(optimizer, factor=1.0),
        "cosine": lambda: lr_scheduler.CosineAnnealingLR(optimizer, span, eta_min=final_lr),
        "linear": lambda: lr_scheduler.LinearLR(optimizer, 1.0, final_lr / lr, total_iters=span),
        "step": lambda: lr_scheduler.StepLR(optimizer, every, gamma=factor),
    }
    if warmup > 0:
        warming = lr_scheduler.LinearLR(optimizer, 1.0 / warmup, 1.0, total_iters=warmup - 1)
        parts = [warming, after[kind]()]
        schedule = lr_scheduler.SequentialLR(optimizer, parts, milestones=[warmup])
    else:
        schedule = after[kind]()
    found = []
    for _ in range(steps + 1):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return {
        "kind": kind,
        "lr": lr,
        "warmup": warmup,
        "steps": steps,
        "final_lr": final_lr,
        "decay_factor": factor,
        "decay_every": every,
        "rates": found,
    }


def reference() -> dict[str, Any]:
    """Everything that the file holds."""
    random = np.random.RandomState(0)

    def draw(*shape: int, scale: float = 1.0) -> torch.Tensor:
        """Normal numbers rounded to three decimals, so that JSON holds them exactly."""
        return torch.from_numpy(np.round(scale * random.standard_normal(shape), 3))

    weights = []
    for fan_in, fan_out in zip(WIDTHS, WIDTHS[1:]):
        weights += [draw(fan_out, fan_in, scale=fan_in**-0.5), draw(fan_out, scale=0.3)]
    inputs = draw(SAMPLES, WIDTHS[0])
    labels = torch.from_numpy(random.randint(0, WIDTHS[-1], size=SAMPLES))
    return {
        "made_by": MADE_BY,
        "torch": torch.__version__,
        "widths": WIDTHS,
        "initial": flatten(weights).tolist(),
        "inputs": inputs.tolist(),
        "labels": labels.tolist(),
        "cases": [trajectory(case, weights, inputs, labels) for case in cases()],
        "schedules": [
            rates(kind, steps=40, warmup=warmup, final_lr=0.02, factor=0.5, every=7)
            for kind in ("constant", "cosine", "linear", "step")
            for warmup in (0, 8)
        ],
    }


def main() -> None:
    """Writes the file that the command line names."""
    parser = argparse.ArgumentParser(
        description="Makes the float64 optimizer trajectories that sharpscope's tests compare with."
    )
    parser.add_argument("out", type=Path, help="the JSON file to write")
    arguments = parser.parse_args()
    # NAdam keeps the product of its momenta in the default type.
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)  # the order of sums, and so the last bits, then stays the same
    write_json(arguments.out, reference())


if __name__ == "__main__":
    main()
