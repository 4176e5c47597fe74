"""Losses along a Bezier curve and a polygonal chain of one small network, and their gradients.

The curve is written as dnn-mode-connectivity writes it, parameter by parameter, on PyTorch modules.
"""

from __future__ import annotations

import json
import sys
from math import comb
from pathlib import Path

import torch
from torch import nn
from torch.func import functional_call

WIDTHS = [3, 4, 2]
SAMPLES = 12
POSITIONS = 11
POINTS = 4

Parameters = dict[str, torch.Tensor]


class Perceptron(nn.Module):
    """As sharpscope's, with its names."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(WIDTHS, WIDTHS[1:]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for i, layer in enumerate(self.layers):
            x = layer(x if i == 0 else torch.tanh(x))
        return x


def bezier(t: float, n: int) -> list[float]:
    """The weights of n control points at t."""
    return [comb(n - 1, j) * t**j * (1 - t) ** (n - 1 - j) for j in range(n)]


def polychain(t: float, n: int) -> list[float]:
    """The same of straight pieces."""
    return [max(0.0, 1 - abs(t * (n - 1) - j)) for j in range(n)]


def flat(parameters: Parameters) -> list[float]:
    """The tensors one after the other, each row by row."""
    return torch.cat([tensor.detach().reshape(-1) for tensor in parameters.values()]).tolist()


def main(out: Path) -> None:
    """Writes the numbers."""
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    network = Perceptron()
    inputs = torch.randn(SAMPLES, WIDTHS[0])
    labels = torch.randint(WIDTHS[-1], (SAMPLES,))
    points: list[Parameters] = [
        {name: torch.randn_like(p).requires_grad_() for name, p in network.named_parameters()}
        for _ in range(POINTS)
    ]
    curves = {}
    for kind, weights in {"bezier": bezier, "polychain": polychain}.items():
        losses, gradients = [], []
        for k in range(POSITIONS):
            t = k / (POSITIONS - 1)
            mixed = {
                name: sum(c * point[name] for c, point in zip(weights(t, POINTS), points))
                for name in points[0]
            }
            loss = nn.functional.cross_entropy(functional_call(network, mixed, (inputs,)), labels)
            free = [tensor for point in points[1:-1] for tensor in point.values()]
            gradient = torch.autograd.grad(loss, free, allow_unused=True)
            gradients.append(
                [x for g, p in zip(gradient, free)
                 for x in (torch.zeros_like(p) if g is None else g).reshape(-1).tolist()]
            )
            losses.append(loss.item())
        curves[kind] = {"losses": losses, "gradients": gradients[3]}
    numbers = {
        "widths": WIDTHS,
        "inputs": inputs.reshape(-1).tolist(),
        "labels": labels.tolist(),
        "points": [flat(point) for point in points],
        "curves": curves,
    }
    out.write_text(json.dumps(numbers) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
