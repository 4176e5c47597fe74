"""Reference numbers for sharpscope's curvature matrices, in float64.

    spectrum.py OUT.json

For small networks of torch.nn's own modules with fixed random weights it forms the Hessian, the
Gauss-Newton matrix, the Fisher matrix and the empirical Fisher matrix as whole matrices, each from
its definition, and records their products with a vector, traces, eigenvalues at both ends, and the
largest eigenvalue and trace of each layer's block.

Nothing here is shared with the Rust code, which knows these matrices by their products alone: here
each row of outputs has its Jacobian written out, and Fisher matrices are sums of outer products of
gradients of log-likelihoods, taken through the whole network for each target.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from models import ACTIVATIONS, Case, Data, Source, Spec
from reference import flatten, write_json

MADE_BY = "scripts/pytorch/spectrum.py"
TOP = 3


class Perceptron(nn.Module):
    """Linear layers, called layers.0, layers.1 and so on, with an activation between them."""

    def __init__(self, spec: Spec, inputs: int, outputs: int) -> None:
        super().__init__()
        sizes = [inputs, *spec["hidden"], outputs]
        self.layers = nn.ModuleList(
            nn.Linear(before, after, bias=spec["bias"])
            for before, after in zip(sizes, sizes[1:])
        )
        self.activation = ACTIVATIONS[spec["activation"]]()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Outputs for images, seen as rows of numbers."""
        x = images.flatten(1)
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return self.layers[-1](x)


class MatrixCase(Case):
    """A network with its curvature matrices."""

    def __init__(self, spec: Spec, loss: str, data: Data) -> None:
        if spec["kind"] != "mlp":
            super().__init__(spec, loss, data)
            return
        self.spec, self.loss_name, self.data = spec, loss, data
        self.outputs = data["outputs"]
        self.inputs = torch.tensor(data["inputs"], dtype=torch.float64)
        self.labels = torch.tensor(data["labels"])
        self.module = Perceptron(spec, self.inputs.shape[1], self.outputs).double()

    def row_gradient(self, value: torch.Tensor) -> torch.Tensor:
        """The flat derivative of a number that the network's outputs determine."""
        parts = torch.autograd.grad(
            value, self.parameters, retain_graph=True, materialize_grads=True
        )
        return flatten(parts)

    def row_losses(self, outputs: torch.Tensor) -> torch.Tensor:
        """The loss of each row of outputs, under the data's own targets."""
        if self.loss_name == "ce":
            return F.cross_entropy(outputs, self.labels, reduction="none")
        return 0.5 * (outputs - self.targets()).square().sum(dim=1)

    def hessian(self) -> torch.Tensor:
        """Second derivatives of the mean loss."""
        gradient = self.gradient(create_graph=True)
        return torch.stack([self.hvp(unit, gradient) for unit in torch.eye(self.size).double()])

    def gauss_newton(self) -> torch.Tensor:
        """The mean over rows of J' S J, S being the loss's Hessian by the row's outputs."""
        outputs = self.module(self.inputs)
        total = torch.zeros(self.size, self.size, dtype=torch.float64)
        for row in range(len(outputs)):
            jacobian = torch.stack([self.row_gradient(output) for output in outputs[row]])

            def loss_of(values: torch.Tensor, row: int = row) -> torch.Tensor:
                others = outputs.detach()
                replaced = torch.cat([others[:row], values[None], others[row + 1 :]])
                return self.row_losses(replaced)[row]

            curvature = torch.autograd.functional.hessian(loss_of, outputs[row].detach())
            total += jacobian.T @ curvature @ jacobian
        return total / len(outputs)

    def fisher(self) -> torch.Tensor:
        """The mean over rows of E[g g'], g being the gradient of -log p(target | row).

        Classes are summed over with their probabilities. For numbers, normal with variance 1, the
        expectation is that over the points f +- sqrt(K) e_k: these have the same mean and
        covariance, and g g' is of second degree in the target.
        """
        outputs = self.module(self.inputs)
        rows, columns = outputs.shape
        total = torch.zeros(self.size, self.size, dtype=torch.float64)
        for row in range(rows):
            if self.loss_name == "ce":
                logs = torch.log_softmax(outputs[row], dim=0)
                draws = [(logs[c].exp().item(), -logs[c]) for c in range(columns)]
            else:
                draws = []
                for c in range(columns):
                    for sign in (-1.0, 1.0):
                        target = outputs[row].detach().clone()
                        target[c] += sign * columns**0.5
                        loss = 0.5 * (outputs[row] - target).square().sum()
                        draws.append((0.5 / columns, loss))
            for probability, loss in draws:
                g = self.row_gradient(loss)
                total += probability * torch.outer(g, g)
        return total / rows

    def empirical_fisher(self) -> torch.Tensor:
        """The mean over rows of g g', g being the gradient of the row's own loss."""
        losses = self.row_losses(self.module(self.inputs))
        gradients = torch.stack([self.row_gradient(loss) for loss in losses])
        return gradients.T @ gradients / len(losses)

    def layers(self) -> dict[str, torch.Tensor]:
        """For each layer, a module with a parameter of its own and all inside it, its coordinates."""
        places: dict[str, list[torch.Tensor]] = {}
        start = 0
        for name, p in self.module.named_parameters():
            module = name.rpartition(".")[0]
            # The outermost of them: attention has its output projection.
            layer = next((l for l in places if module.startswith(f"{l}.")), module)
            places.setdefault(layer, []).append(torch.arange(start, start + p.numel()))
            start += p.numel()
        return {layer: torch.cat(parts) for layer, parts in places.items()}

    def describe(self, matrix: torch.Tensor, vector: torch.Tensor) -> dict[str, Any]:
        """What is recorded of a matrix."""
        magnitude = matrix.abs().max().item()
        gap = (matrix - matrix.T).abs().max().item()
        assert gap < 1e-12 * max(1.0, magnitude), f"{self.name}: asymmetry {gap:.1e}"
        matrix = 0.5 * (matrix + matrix.T)
        eigenvalues = torch.linalg.eigvalsh(matrix)
        blocks = [
            [
                layer,
                len(at),
                torch.linalg.eigvalsh(matrix[at][:, at])[-1].item(),
                matrix[at, at].sum().item(),
            ]
            for layer, at in self.layers().items()
        ]
        return {
            "product": (matrix @ vector).tolist(),
            "trace": matrix.trace().item(),
            "largest": eigenvalues.flip(0)[:TOP].tolist(),
            "smallest": eigenvalues[0].item(),
            "layers": blocks,
        }

    def matrices(self, vector: torch.Tensor) -> dict[str, Any]:
        """Everything that the tests compare with."""
        hessian, gauss_newton = self.hessian(), self.gauss_newton()
        fisher, empirical = self.fisher(), self.empirical_fisher()
        # The likelihood is that of which the loss is the logarithm, with outputs as its natural
        # parameters: the two matrices agree.
        gap = ((fisher - gauss_newton).norm() / gauss_newton.norm()).item()
        assert gap < 1e-12, f"{self.name}: Fisher and Gauss-Newton differ by {gap:.1e}"
        losses = self.row_losses(self.module(self.inputs))
        assert torch.allclose(losses.mean(), self.loss(), rtol=1e-13)
        recorded = {
            "hessian": hessian,
            "gauss-newton": gauss_newton,
            "fisher": fisher,
            "empirical-fisher": empirical,
            "residual": hessian - gauss_newton,
        }
        return {
            "model": self.spec,
            "loss": self.loss_name,
            **self.data,
            "tensors": [[name, list(p.shape)] for name, p in self.module.named_parameters()],
            "weights": flatten(self.parameters).tolist(),
            "vector": vector.tolist(),
            "matrices": {name: self.describe(m, vector) for name, m in recorded.items()},
        }


def case(seed: int, loss: str, spec: Spec, **sizes: Any) -> dict[str, Any]:
    """A network on random data; the loss "values" is squared error of numbers."""
    source = Source(seed)
    data: Data
    if spec["kind"] == "transformer":
        tokens = source.whole(sizes["vocabulary"], sizes["windows"] * spec["context"] + 2)
        data = {"vocabulary": sizes["vocabulary"], "tokens": tokens}
    else:
        image, samples, outputs = sizes["image"], sizes["samples"], sizes["outputs"]
        data = {"image": image, "outputs": outputs}
        data["inputs"] = source.normal(samples, image[0] * image[1] * image[2]).tolist()
        if loss == "values":
            data["targets"] = source.normal(samples, outputs).tolist()
        else:
            data["labels"] = source.whole(outputs, samples)
    built = MatrixCase(spec, "mse" if loss == "values" else loss, data)
    source.fill(built.module)
    return built.matrices(source.normal(built.size))


def reference() -> dict[str, Any]:
    """All cases."""
    perceptron = {"kind": "mlp", "hidden": [6, 4], "bias": True}
    small = {"image": [1, 1, 5], "samples": 11, "outputs": 3}
    network = {"kind": "cnn", "channels": [2], "pooling": "average", "bias": True}
    images = {"image": [2, 4, 4], "samples": 7, "outputs": 3}
    words = {"kind": "transformer", "layers": 1, "heads": 2, "width": 4, "context": 3}
    text = {"vocabulary": 5, "windows": 4}
    cases = [
        case(0, "ce", {**perceptron, "activation": "tanh"}, **small),
        case(1, "mse", {**perceptron, "activation": "gelu"}, **small),
        case(2, "ce", {**network, "activation": "gelu"}, **images),
        case(3, "values", {**network, "activation": "tanh"}, **images),
        case(4, "ce", {**words, "tied": False}, **text),
        case(5, "mse", {**words, "tied": True}, **text),
    ]
    return {"made_by": MADE_BY, "torch": torch.__version__, "cases": cases}


def main() -> None:
    """Writes the file that the command line names."""
    parser = argparse.ArgumentParser(
        description="Makes the float64 reference numbers of curvature matrices."
    )
    parser.add_argument("out", type=Path, help="the JSON file to write")
    out = parser.parse_args().out
    torch.set_num_threads(1)  # the order of sums, and so the last bits, then stays the same
    torch.backends.mha.set_fastpath_enabled(False)
    # The fused kernels cannot be differentiated twice.
    with sdpa_kernel(SDPBackend.MATH):
        write_json(out, reference())


if __name__ == "__main__":
    main()
