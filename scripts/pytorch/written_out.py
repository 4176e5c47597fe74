"""Reference trajectories of optimizers beyond PyTorch's usual ones, in float64.

    written_out.py OUT.json

As `optimizers.py`, on a network of square matrices. PyTorch's Adafactor is used; all others are written out
here from their papers, tensor by tensor:

    qhm                  Ma and Yarats 2019 (arXiv 1810.06801), equations 3 and 4
    ademamix             Pagliardini et al. 2024 (2409.03137), equation AdEMAMix, without schedulers
    schedule-free        Defazio et al. 2024 (2405.15682), equations 3 to 5, c = rate^2 / sum of rate^2
    schedule-free-adamw  the same, Algorithm 1
    lamb                 You et al. 2020 (1904.00962), Algorithm 2 with phi(z) = z
    shampoo              Gupta et al. 2018 (1802.09568), Algorithm 1 (vectors: order 1)
    soap                 Vyas et al. 2024 (2409.11321), Algorithms 3 and 4, with Adam's corrections
    signgd, signum       Bernstein et al. 2018 (1802.04434)
    lion                 Chen et al. 2023 (2302.06675), Algorithm 2
    muon                 Jordan et al. 2024, with the rate of Liu et al. 2025 (2502.16982), vectors by AdamW

Square matrices of full rank leave SOAP's first eigenvectors no freedom. In their coordinates the first gradient is
diagonal but for rounding, which Adam divides by epsilon: with the usual 1e-8 no more than nine digits are left of that.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reference import Problem, flatten, write_json

MADE_BY = "scripts/pytorch/written_out.py"
STEPS = 50
WIDTHS = [4, 4, 4]
SAMPLES = 12

Case = dict[str, Any]
State = dict[str, Any]


def adam_direction(c: Case, s: State, g: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Adam's corrected mean, and what it divides by."""
    s["t"] = s.get("t", 0) + 1
    s["m"] = c["beta1"] * s.get("m", 0.0) + (1 - c["beta1"]) * g
    s["v"] = c["beta2"] * s.get("v", 0.0) + (1 - c["beta2"]) * g * g
    p = (s["v"] / (1 - c["beta2"] ** s["t"])).sqrt() + c["eps"]
    return s["m"] / (1 - c["beta1"] ** s["t"]), p


def qhm(c: Case, s: State, w: torch.Tensor, g: torch.Tensor, lr: float) -> torch.Tensor:
    g = g + c["weight_decay"] * w
    s["m"] = c["momentum"] * s.get("m", 0.0) + (1 - c["momentum"]) * g
    return w - lr * ((1 - c["nu"]) * g + c["nu"] * s["m"])


def ademamix(c: Case, s: State, w: torch.Tensor, g: torch.Tensor, lr: float) -> torch.Tensor:
    mean, s["p"] = adam_direction(c, s, g)
    s["slow"] = c["beta3"] * s.get("slow", 0.0) + (1 - c["beta3"]) * g
    return w - lr * ((mean + c["alpha"] * s["slow"]) / s["p"] + c["weight_decay"] * w)


def averaged(c: Case, s: State, y: torch.Tensor, d: torch.Tensor, lr: float, beta: float):
    """One step of schedule-free descent against `d`; `y` is where the gradient was taken."""
    if "z" not in s:
        s["z"], s["x"], s["sum"], s["most"] = y.clone(), y.clone(), 0.0, 0.0
    s["most"] = max(s["most"], lr)
    s["sum"] += s["most"] ** 2
    share = s["most"] ** 2 / s["sum"]
    s["z"] = s["z"] - lr * d
    s["x"] = (1 - share) * s["x"] + share * s["z"]
    return (1 - beta) * s["z"] + beta * s["x"]


def schedule_free(c: Case, s: State, w: torch.Tensor, g: torch.Tensor, lr: float) -> torch.Tensor:
    return averaged(c, s, w, g + c["weight_decay"] * w, lr, c["momentum"])


def schedule_free_adamw(
    c: Case, s: State, w: torch.Tensor, g: torch.Tensor, lr: float
) -> torch.Tensor:
    s["t"] = s.get("t", 0) + 1
    s["v"] = c["beta2"] * s.get("v", 0.0) + (1 - c["beta2"]) * g * g
    s["p"] = (s["v"] / (1 - c["beta2"] ** s["t"])).sqrt() + c["eps"]
    return averaged(c, s, w, g / s["p"] + c["weight_decay"] * w, lr, c["beta1"])


def lamb(c: Case, s: State, w: torch.Tensor, g: torch.Tensor, lr: float) -> torch.Tensor:
    mean, p = adam_direction(c, s, g)
    u = mean / p + c["weight_decay"] * w
    ratio = w.norm() / u.norm()
    s["p"] = p / ratio
    return w - lr * ratio * u


def root(matrix: torch.Tensor, exponent: float) -> torch.Tensor:
    """A symmetric matrix to a power."""
    values, vectors = torch.linalg.eigh(matrix)
    return vectors @ torch.diag(values**exponent) @ vectors.T


def shampoo(c: Case, s: State, w: torch.Tensor, g: torch.Tensor, lr: float) -> torch.Tensor:
    g = g + c["weight_decay"] * w
    matrix = g if g.dim() > 1 else g[:, None]
    refreshes = s.get("t", 0) % c["refresh"] == 0
    s["t"] = s.get("t", 0) + 1
    if "left" not in s:
        s["left"] = c["eps"] * torch.eye(matrix.shape[0])
        s["right"] = c["eps"] * torch.eye(matrix.shape[1])
    s["left"] += matrix @ matrix.T
    s["right"] += matrix.T @ matrix
    if refreshes:
        s["roots"] = [root(s["left"], -0.25), root(s["right"], -0.25)]
        if g.dim() == 1:
            s["roots"] = [root(s["left"], -0.5), torch.eye(1)]
    s["m"] = c["momentum"] * s.get("m", 0.0) + (1 - c["momentum"]) * matrix
    left, right = s["roots"]
    return w - lr * (left @ s["m"] @ right).reshape(w.shape)


def soap(c: Case, s: State, w: torch.Tensor, g: torch.Tensor, lr: float) -> torch.Tensor:
    if g.dim() == 1:
        mean, p = adam_direction(c, s, g)
        return w - lr * (mean / p + c["weight_decay"] * w)
    s["t"] = s.get("t", 0) + 1
    factors = [g @ g.T, g.T @ g]
    if s["t"] == 1:
        s["factors"] = [(1 - c["beta2"]) * f for f in factors]
        s["bases"] = [torch.linalg.eigh(f)[1].flip(1) for f in s["factors"]]
    left, right = s["bases"]
    turned = left.T @ g @ right
    s["m"] = c["beta1"] * s.get("m", 0.0) + (1 - c["beta1"]) * g
    s["v"] = c["beta2"] * s.get("v", 0.0) + (1 - c["beta2"]) * turned**2
    mean = left.T @ s["m"] @ right / (1 - c["beta1"] ** s["t"])
    step = mean / ((s["v"] / (1 - c["beta2"] ** s["t"])).sqrt() + c["eps"])
    new = w - lr * (left @ step @ right.T + c["weight_decay"] * w)
    if s["t"] > 1:
        pairs = zip(s["factors"], factors)
        s["factors"] = [c["beta2"] * old + (1 - c["beta2"]) * f for old, f in pairs]
    if s["t"] % c["refresh"] == 0:
        s["bases"] = [torch.linalg.qr(f @ q)[0] for f, q in zip(s["factors"], s["bases"])]
    return new


def signgd(c: Case, s: State, w: torch.Tensor, g: torch.Tensor, lr: float) -> torch.Tensor:
    return w - lr * torch.sign(g + c["weight_decay"] * w)


def signum(c: Case, s: State, w: torch.Tensor, g: torch.Tensor, lr: float) -> torch.Tensor:
    g = g + c["weight_decay"] * w
    s["m"] = c["momentum"] * s.get("m", 0.0) + (1 - c["momentum"]) * g
    return w - lr * torch.sign(s["m"])


def lion(c: Case, s: State, w: torch.Tensor, g: torch.Tensor, lr: float) -> torch.Tensor:
    mean = s.get("m", torch.zeros_like(g))
    step = torch.sign(c["beta1"] * mean + (1 - c["beta1"]) * g)
    s["m"] = c["beta2"] * mean + (1 - c["beta2"]) * g
    return w - lr * (step + c["weight_decay"] * w)


def newton_schulz(matrix: torch.Tensor) -> torch.Tensor:
    if matrix.shape[0] > matrix.shape[1]:
        return newton_schulz(matrix.T).T
    x = matrix / max(matrix.norm().item(), 1e-7)
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (-4.775 * gram + 2.0315 * gram @ gram) @ x
    return x


def muon(c: Case, s: State, w: torch.Tensor, g: torch.Tensor, lr: float) -> torch.Tensor:
    if g.dim() == 1:
        mean, p = adam_direction(c, s, g)
        return w - lr * (mean / p + c["weight_decay"] * w)
    s["m"] = c["momentum"] * s.get("m", 0.0) + g
    step = newton_schulz(g + c["momentum"] * s["m"])
    rate = 0.2 * math.sqrt(max(g.shape)) * lr
    return w - rate * step - lr * c["weight_decay"] * w


RULES = {
    "qhm": qhm,
    "ademamix": ademamix,
    "schedule-free": schedule_free,
    "schedule-free-adamw": schedule_free_adamw,
    "lamb": lamb,
    "shampoo": shampoo,
    "soap": soap,
    "signgd": signgd,
    "signum": signum,
    "lion": lion,
    "muon": muon,
}


def adafactor_p(c: Case, state: State, w: torch.Tensor, g: torch.Tensor, lr: float):
    """What PyTorch's Adafactor is about to divide by, for the rate `lr`, from its state after the step."""
    t = state["step"].item()
    if g.dim() > 1:
        v = state["row_var"] @ state["col_var"] / state["row_var"].mean().clamp(min=c["eps"])
    else:
        v = state["variance"]
    v = v.clamp(min=c["eps"] ** 2)
    u = g / v.sqrt()
    scale = max(1e-3, (w.norm() / math.sqrt(w.numel())).item()) * min(lr, 1 / math.sqrt(t))
    clip = max(1.0, (u.norm() / math.sqrt(u.numel())).item())
    return v.sqrt() * clip * lr / scale


def trajectory(
    case: Case, weights: list[torch.Tensor], inputs: torch.Tensor, labels: torch.Tensor
) -> Case:
    """Trains for STEPS updates; the rate is multiplied by `rate_factor` after each."""
    problem = Problem(weights, inputs, labels, "tanh", case["loss"])
    states: list[State] = [{} for _ in problem.parameters]
    theirs = None
    if case["optimizer"] == "adafactor":
        decay = {"weight_decay": case["weight_decay"], "eps": (case["eps"], 1e-3)}
        theirs = torch.optim.Adafactor(problem.parameters, lr=case["lr"], **decay)
    lr, losses, divisor = case["lr"], [], None
    for _ in range(STEPS):
        loss, gradient = problem.gradient()
        losses.append(loss.item())
        if theirs is not None:
            before = [p.detach().clone() for p in problem.parameters]
            for p, g in zip(problem.parameters, gradient):
                p.grad = g
            theirs.param_groups[0]["lr"] = lr
            theirs.step()
            pairs = zip(problem.parameters, before, gradient)
            divisor = [adafactor_p(case, theirs.state[p], w, g, lr) for p, w, g in pairs]
        else:
            rule = RULES[case["optimizer"]]
            with torch.no_grad():
                for p, g, s in zip(problem.parameters, gradient, states):
                    p.copy_(rule(case, s, p.detach().clone(), g, lr))
        lr *= case["rate_factor"]
    losses.append(problem.gradient()[0].item())
    assert losses[-1] < losses[0], f"the loss of {case} rose"
    if all("p" in s for s in states):
        divisor = [s["p"] for s in states]
    found = {
        "preconditioner": divisor,
        "averaged": [s["x"] for s in states] if all("x" in s for s in states) else None,
    }
    return case | {
        "losses": losses,
        "final": flatten(problem.parameters).tolist(),
        **{key: flatten(value).tolist() for key, value in found.items() if value is not None},
    }


def cases() -> list[Case]:
    """Each optimizer plain and at a constant rate, and with weight decay and a falling rate."""
    plain = {"loss": "mse", "weight_decay": 0.0, "rate_factor": 1.0}
    decayed = {"loss": "ce", "weight_decay": 0.02, "rate_factor": 0.98}
    adam = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
    # A large epsilon, so that its place is seen.
    other = {"beta1": 0.8, "beta2": 0.95, "eps": 1e-2}
    both = [
        ("qhm", {"lr": 0.2, "momentum": 0.999, "nu": 0.7}, {"lr": 0.3, "momentum": 0.9, "nu": 0.5}),
        (
            "ademamix",
            {"lr": 0.01, "beta3": 0.9999, "alpha": 8.0, **adam},
            {"lr": 0.01, "beta3": 0.99, "alpha": 3.0, **other},
        ),
        ("schedule-free", {"lr": 0.5, "momentum": 0.9}, {"lr": 0.8, "momentum": 0.6}),
        ("schedule-free-adamw", {"lr": 0.02, **adam}, {"lr": 0.05, **other}),
        ("adafactor", {"lr": 0.02, "eps": 1e-30}, {"lr": 0.05, "eps": 1e-3}),
        ("lamb", {"lr": 0.01, **adam}, {"lr": 0.02, **other}),
        (
            "shampoo",
            {"lr": 0.1, "momentum": 0.0, "eps": 1e-4, "refresh": 1.0},
            {"lr": 0.1, "momentum": 0.9, "eps": 1e-2, "refresh": 7.0},
        ),
        ("soap", {"lr": 0.01, **adam, "eps": 1e-5, "refresh": 10.0}, {"lr": 0.02, **other, "refresh": 3.0}),
        ("signgd", {"lr": 0.01}, {"lr": 0.01}),
        ("signum", {"lr": 0.01, "momentum": 0.9}, {"lr": 0.01, "momentum": 0.6}),
        ("lion", {"lr": 0.01, "beta1": 0.9, "beta2": 0.99}, {"lr": 0.01, "beta1": 0.8, "beta2": 0.95}),
        ("muon", {"lr": 0.02, "momentum": 0.95, **adam}, {"lr": 0.03, "momentum": 0.8, **other}),
    ]
    found = []
    for name, first, second in both:
        found += [{"optimizer": name} | first | plain, {"optimizer": name} | second | decayed]
    return found


def reference() -> dict[str, Any]:
    """Everything that the file holds."""
    random = np.random.RandomState(1)

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
    }


def main() -> None:
    """Writes the file that the command line names."""
    parser = argparse.ArgumentParser(
        description="Makes the float64 trajectories of further optimizers that sharpscope's tests compare with."
    )
    parser.add_argument("out", type=Path, help="the JSON file to write")
    arguments = parser.parse_args()
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)  # the order of sums, and so the last bits, then stays the same
    write_json(arguments.out, reference())


if __name__ == "__main__":
    main()
