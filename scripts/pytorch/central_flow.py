"""The central flow of gradient descent on a small network, written out.

    central_flow.py DATA.csv WEIGHTS.safetensors OUT.json

Everything is formed as a whole in float64: the Hessian, all its eigenvectors, and the gradients of u_i'Hu_j by automatic
differentiation. The oscillation X >= 0 with A + B[X] >= 0 and <X, A + B[X]> = 0 is found by projected gradient descent
with momentum on the cone, run until nothing moves. Four steps of Euler's method to a step, which share the eigenvectors and
the gradients of curvatures of the first; entry t is before step t.
"""

import json
import math
import sys

import numpy as np
import torch
from safetensors.torch import save_file

torch.set_default_dtype(torch.float64)

SAMPLES, FEATURES, HIDDEN, CLASSES = 12, 3, 4, 3
STEPS, SUBSTEPS, CRITICAL = 20, 4, 1.95
# Steps of gradient descent to where it sharpens.
BEFORE = 150
SHAPES = [(HIDDEN, FEATURES), (HIDDEN,), (CLASSES, HIDDEN), (CLASSES,)]
NAMES = ["layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias"]


def data():
    rows = [
        [round(math.sin(1.7 * i + 0.9 * j * (i % 5 + 1)), 3) for j in range(FEATURES)]
        for i in range(SAMPLES)
    ]
    labels = [(2 * i + i * i // 3) % CLASSES for i in range(SAMPLES)]
    return rows, labels


def start():
    count = sum(math.prod(shape) for shape in SHAPES)
    theta = torch.tensor([1.4 * math.sin(2.3 * i + 0.4) for i in range(count)])
    for _ in range(BEFORE):
        theta = theta - 0.3 * gradient(theta)
    return torch.tensor([round(w, 4) for w in theta.tolist()])


def split(theta):
    sizes = [math.prod(shape) for shape in SHAPES]
    return [part.reshape(shape) for part, shape in zip(theta.split(sizes), SHAPES)]


ROWS, LABELS = data()
X = torch.tensor(ROWS)
Y = torch.nn.functional.one_hot(torch.tensor(LABELS), CLASSES).to(X.dtype)


def loss(theta):
    w0, b0, w1, b1 = split(theta)
    outputs = torch.tanh(X @ w0.T + b0) @ w1.T + b1
    return 0.5 * ((outputs - Y) ** 2).sum(1).mean()


def gradient(theta):
    return torch.func.grad(loss)(theta)


def hessian(theta):
    return torch.func.hessian(loss)(theta)


def bend(theta, u, v):
    """grad(u'Hv), the directions being fixed."""

    def curvature(at):
        return torch.func.jvp(lambda w: torch.func.jvp(loss, (w,), (u,))[1], (at,), (v,))[1]

    return torch.func.grad(curvature)(theta)


def project(x):
    values, vectors = np.linalg.eigh(0.5 * (x + x.T))
    return (vectors * np.maximum(values, 0)) @ vectors.T


def complementarity(a, b):
    """b[i, j, k, l] with B[X]_ij = sum of b[i, j, k, l] X_kl."""
    k = len(a)
    step = 1 / np.linalg.eigvalsh(b.reshape(k * k, k * k))[-1]
    x = y = np.zeros_like(a)
    t = 1.0
    for _ in range(100_000):
        new = project(y - step * (a + np.einsum("ijkl,kl->ij", b, y)))
        moved = np.abs(new - x).max()
        if ((y - new) * (new - x)).sum() > 0:
            t = 1.0
        ahead = (1 + math.sqrt(1 + 4 * t * t)) / 2
        y = new + (t - 1) / ahead * (new - x)
        x, t = new, ahead
        if moved <= 1e-15 * np.abs(x).max():
            break
    return x


def flow(theta, lr):
    told = []
    dt = 1 / SUBSTEPS
    for _ in range(STEPS):
        values, vectors = torch.linalg.eigh(hessian(theta))
        critical = [i for i in reversed(range(len(values))) if lr * values[i] > CRITICAL]
        units = [math.sqrt(lr) * vectors[:, i] for i in critical]
        k = len(critical)
        if k:
            basis = torch.stack(units)
            bends = torch.stack([torch.stack([bend(theta, u, v) for v in units]) for u in units])
        for substep in range(SUBSTEPS):
            g = gradient(theta)
            force, x = torch.zeros_like(theta), np.zeros((k, k))
            if k:
                gap = 2 * torch.eye(k) - basis @ hessian(theta) @ basis.T
                a = (gap + dt * lr * bends @ g).numpy()
                b = (0.5 * dt * lr * torch.einsum("ijp,klp->ijkl", bends, bends)).numpy()
                if np.linalg.eigvalsh(a)[0] < 0:
                    x = complementarity(a, b)
                force = 0.5 * torch.einsum("ij,ijp->p", torch.tensor(x), bends)
            if substep == 0:
                variance = np.linalg.eigvalsh(x)[::-1].tolist() if k else []
                told.append(
                    {
                        "loss": loss(theta).item(),
                        "sharpness": values[-1].item(),
                        "variance": variance,
                        "grad_norm": g.norm().item(),
                    }
                )
            theta = theta - dt * lr * (g + force)
    return told, theta


def main() -> None:
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    csv, weights, out = sys.argv[1:]
    lines = [",".join(map(str, [*row, label])) for row, label in zip(ROWS, LABELS)]
    header = ",".join([*(f"x{j}" for j in range(FEATURES)), "class"])
    with open(csv, "w") as file:
        file.write("\n".join([header, *lines]) + "\n")
    theta = start()
    save_file(dict(zip(NAMES, [part.contiguous() for part in split(theta)])), weights)
    lr = round(1.99 / torch.linalg.eigvalsh(hessian(theta))[-1].item(), 6)
    told, theta = flow(theta, lr)
    with open(out, "w") as file:
        json.dump({"lr": lr, "rows": told, "end": theta.tolist()}, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
