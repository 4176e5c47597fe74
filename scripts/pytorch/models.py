"""Reference numbers for sharpscope's convolutional networks and transformers, in float64.

    models.py OUT.json

Builds small networks of torch.nn's own modules with fixed random weights and records, for each,
the loss, the accuracy, the gradient, a Hessian-vector product and the three largest Hessian
eigenvalues.

Nothing here is shared with the Rust code: derivatives come from PyTorch's autograd, applied twice,
and eigenvalues from LAPACK, on the whole Hessian.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from reference import flatten, write_json

MADE_BY = "scripts/pytorch/models.py"
TOP = 3
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "identity": nn.Identity,
}

Spec = dict[str, Any]
Data = dict[str, Any]


class LanguageModel(nn.Module):
    """A decoder-only transformer of torch.nn's encoder layers under a causal mask."""

    def __init__(self, spec: Spec, vocabulary: int) -> None:
        super().__init__()
        width = spec["width"]
        self.embedding = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(spec["context"], width)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width,
                spec["heads"],
                4 * width,
                dropout=0.0,
                activation=F.gelu,
                batch_first=True,
                norm_first=True,
            )
            for _ in range(spec["layers"])
        )
        self.norm = nn.LayerNorm(width)
        self.head = None if spec["tied"] else nn.Linear(width, vocabulary, bias=False)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Logits of the token after each one, a row for each, for tokens of [windows, context]."""
        context = tokens.shape[1]
        x = self.embedding(tokens) + self.positions(torch.arange(context))
        mask = nn.Transformer.generate_square_subsequent_mask(context, dtype=x.dtype)
        for block in self.blocks:
            x = block(x, src_mask=mask, is_causal=True)
        x = self.norm(x)
        logits = F.linear(x, self.embedding.weight) if self.head is None else self.head(x)
        return logits.flatten(0, 1)


class ConvolutionalNetwork(nn.Module):
    """Convolutions of 3x3, each with an activation and 2x2 pooling, and a linear layer."""

    def __init__(self, spec: Spec, image: list[int], outputs: int) -> None:
        super().__init__()
        channels, height, width = image
        sizes = [channels, *spec["channels"]]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, 3, padding=1, bias=spec["bias"])
            for before, after in zip(sizes, sizes[1:])
        )
        self.activation = ACTIVATIONS[spec["activation"]]()
        self.pooling = {"average": nn.AvgPool2d, "max": nn.MaxPool2d}[spec["pooling"]](2)
        for _ in spec["channels"]:
            height, width = height // 2, width // 2
        self.head = nn.Linear(sizes[-1] * height * width, outputs, bias=spec["bias"])

    def forward(
        self, images: torch.Tensor, record: list[torch.Tensor] | None = None
    ) -> torch.Tensor:
        """Outputs for images; appends what activations are given to `record`."""
        x = images
        for convolution in self.convolutions:
            x = convolution(x)
            if record is not None:
                record.append(x)
            x = self.pooling(self.activation(x))
        return self.head(x.flatten(1))


class Case:
    """A network, what it reads and predicts, and its loss as a function of its parameters."""

    def __init__(self, spec: Spec, loss: str, data: Data) -> None:
        self.spec, self.loss_name, self.data = spec, loss, data
        if spec["kind"] == "transformer":
            context = spec["context"]
            tokens = torch.tensor(data["tokens"])
            windows = (len(tokens) - 1) // context
            self.module: nn.Module = LanguageModel(spec, data["vocabulary"])
            self.inputs = tokens[: windows * context].view(windows, context)
            self.labels = tokens[1 : windows * context + 1]
            self.outputs = data["vocabulary"]
        else:
            self.outputs = data["outputs"]
            self.module = ConvolutionalNetwork(spec, data["image"], self.outputs)
            self.inputs = torch.tensor(data["inputs"], dtype=torch.float64)
            self.inputs = self.inputs.view(-1, *data["image"])
            self.labels = torch.tensor(data["labels"]) if "labels" in data else None
        self.module.double()

    @property
    def name(self) -> str:
        """How to name it in a message."""
        return f"{self.spec} under {self.loss_name}"

    @property
    def parameters(self) -> list[nn.Parameter]:
        """The parameter tensors in the module's own order."""
        return list(self.module.parameters())

    @property
    def size(self) -> int:
        """The number of parameters."""
        return sum(p.numel() for p in self.parameters)

    def targets(self) -> torch.Tensor:
        """Numbers to come near to: those given, or one-hot classes."""
        if self.labels is None:
            return torch.tensor(self.data["targets"], dtype=torch.float64)
        return F.one_hot(self.labels, self.outputs).double()

    def loss(self) -> torch.Tensor:
        """The mean over samples or, in text, over tokens."""
        outputs = self.module(self.inputs)
        if self.loss_name == "ce":
            return F.cross_entropy(outputs, self.labels)
        return 0.5 * (outputs - self.targets()).square().sum(dim=1).mean()

    def accuracy(self) -> float | None:
        """The share of rows whose largest output is that of the label."""
        if self.labels is None:
            return None
        with torch.no_grad():
            right = self.module(self.inputs).argmax(dim=1) == self.labels
        return right.double().mean().item()

    def gradient(self, create_graph: bool = False) -> torch.Tensor:
        """The flat gradient."""
        parts = torch.autograd.grad(self.loss(), self.parameters, create_graph=create_graph)
        return torch.cat([part.reshape(-1) for part in parts])

    def hvp(self, vector: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        """The Hessian times a vector, by double backward through a recorded gradient."""
        products = torch.autograd.grad(
            gradient, self.parameters, vector, retain_graph=True, materialize_grads=True
        )
        return flatten(products)

    def move(self, direction: torch.Tensor, width: float) -> None:
        """Adds `width * direction` to the parameters."""
        with torch.no_grad():
            parts = direction.split([p.numel() for p in self.parameters])
            for parameter, part in zip(self.parameters, parts):
                parameter.add_(part.view_as(parameter), alpha=width)

    def check_smooth(self, vector: torch.Tensor, product: torch.Tensor) -> None:
        """Asserts that the product is a difference of gradients, with no kink near."""
        if isinstance(self.module, ConvolutionalNetwork) and self.spec["activation"] == "relu":
            hidden: list[torch.Tensor] = []
            with torch.no_grad():
                self.module(self.inputs, hidden)
            nearest = min(x.abs().min().item() for x in hidden)
            assert nearest > 1e-4, f"{self.name}: a kink at {nearest:.1e}"
        width = 1e-5
        direction = vector / vector.norm()
        self.move(direction, width)
        ahead = self.gradient()
        self.move(direction, -2.0 * width)
        behind = self.gradient()
        self.move(direction, width)
        difference = (ahead - behind) / (2.0 * width) * vector.norm()
        error = ((difference - product).norm() / product.norm()).item()
        assert error < 1e-7, f"{self.name}: differs from finite differences by {error:.1e}"

    def record(self, vector: torch.Tensor, smooth: bool = True) -> dict[str, Any]:
        """Everything that the tests compare with. Where `smooth` is false, maxima may tie."""
        recorded = self.gradient(create_graph=True)
        hessian = torch.stack([self.hvp(unit, recorded) for unit in torch.eye(self.size).double()])
        magnitude = hessian.abs().max().item()
        gap = (hessian - hessian.T).abs().max().item()
        assert gap < 1e-12 * max(1.0, magnitude), f"{self.name}: asymmetry {gap:.1e}"
        eigenvalues = torch.linalg.eigvalsh(0.5 * (hessian + hessian.T)).flip(0)
        product = self.hvp(vector, recorded)
        if smooth:
            self.check_smooth(vector, product)
        return {
            "model": self.spec,
            "loss": self.loss_name,
            **self.data,
            "tensors": [[name, list(p.shape)] for name, p in self.module.named_parameters()],
            "weights": flatten(self.parameters).tolist(),
            "vector": vector.tolist(),
            "value": self.loss().item(),
            "accuracy": self.accuracy(),
            "gradient": recorded.tolist(),
            "hvp": product.tolist(),
            "eigenvalues": eigenvalues[:TOP].tolist(),
        }


class Source:
    """Random numbers, rounded to three decimals so that JSON holds them exactly."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.RandomState(seed)

    def normal(self, *shape: int, scale: float = 1.0) -> torch.Tensor:
        """Normal numbers with mean zero and this deviation."""
        return torch.from_numpy(np.round(scale * self.random.standard_normal(shape), 3))

    def whole(self, below: int, count: int) -> list[int]:
        """Whole numbers, each equally likely."""
        return self.random.randint(0, below, size=count).tolist()

    def fill(self, module: nn.Module) -> None:
        """Weights that keep the size of what passes, scales near one, the rest near zero."""
        with torch.no_grad():
            for name, p in module.named_parameters():
                if p.dim() > 1:
                    table = name.startswith(("embedding", "positions"))
                    fan_in = 1 if table else p[0].numel()
                    p.copy_(self.normal(*p.shape, scale=fan_in**-0.5))
                else:
                    is_scale = "norm" in name and name.endswith("weight")
                    p.copy_(self.normal(*p.shape, scale=0.3) + (1.0 if is_scale else 0.0))
                    p.copy_(torch.from_numpy(np.round(p.numpy(), 3)))


def transformer_case(seed: int, loss: str, vocabulary: int, windows: int, **spec: Any) -> Any:
    """A transformer on random tokens, some of them left over after the last window."""
    source = Source(seed)
    tokens = source.whole(vocabulary, windows * spec["context"] + 3)
    data = {"vocabulary": vocabulary, "tokens": tokens}
    case = Case({"kind": "transformer", **spec}, loss, data)
    source.fill(case.module)
    return case.record(source.normal(case.size))


def cnn_case(
    seed: int, loss: str, image: list[int], samples: int, outputs: int, **spec: Any
) -> Any:
    """A convolutional network on random images; "values" stands for squared error of numbers."""
    source = Source(seed)
    data: Data = {"image": image, "outputs": outputs}
    data["inputs"] = source.normal(samples, int(np.prod(image))).tolist()
    if loss == "values":
        data["targets"] = source.normal(samples, outputs).tolist()
    else:
        data["labels"] = source.whole(outputs, samples)
    case = Case({"kind": "cnn", **spec}, "mse" if loss == "values" else loss, data)
    source.fill(case.module)
    return case.record(source.normal(case.size))


def tied_maxima_case(seed: int) -> Any:
    """Max pooling of pixels among which many are equal, and differ in what lies around them.

    The kernels take the centre alone, so that the gradient of their other weights tells which of
    several equal maxima was taken.
    """
    source = Source(seed)
    image, samples, outputs = [1, 4, 6], 4, 3
    pixels = source.random.randint(1, 3, size=(samples, int(np.prod(image))))
    data = {
        "image": image,
        "outputs": outputs,
        "inputs": pixels.tolist(),
        "labels": source.whole(outputs, samples),
    }
    spec = {"kind": "cnn", "channels": [2], "activation": "identity", "pooling": "max"}
    case = Case({**spec, "bias": True}, "ce", data)
    source.fill(case.module)
    with torch.no_grad():
        kernels = torch.zeros(2, 1, 3, 3, dtype=torch.float64)
        kernels[:, 0, 1, 1] = torch.tensor([1.0, -0.5])
        case.module.convolutions[0].weight.copy_(kernels)
    return case.record(source.normal(case.size), smooth=False)


def reference() -> dict[str, Any]:
    """All cases."""
    average = {"activation": "tanh", "pooling": "average"}
    largest = {"activation": "relu", "pooling": "max"}
    smooth = {"activation": "gelu", "pooling": "max"}
    small = {"layers": 1, "heads": 3, "width": 6, "context": 4}
    cases = [
        transformer_case(0, "ce", 7, 4, layers=2, heads=2, width=8, context=5, tied=False),
        transformer_case(1, "ce", 7, 4, **small, tied=True),
        transformer_case(22, "mse", 5, 3, **small, tied=False),
        # No blocks: what is left is the embeddings, the last norm and the head.
        transformer_case(2, "ce", 5, 3, layers=0, heads=1, width=4, context=3, tied=True),
        cnn_case(10, "ce", [2, 6, 5], 5, 3, channels=[3, 4], **average, bias=True),
        cnn_case(11, "mse", [2, 6, 5], 5, 3, channels=[3, 4], **largest, bias=True),
        cnn_case(12, "mse", [1, 12, 8], 4, 3, channels=[3, 2], **average, bias=False),
        cnn_case(23, "ce", [1, 9, 13], 4, 3, channels=[3, 2], **largest, bias=False),
        cnn_case(14, "values", [3, 4, 4], 6, 2, channels=[2], **smooth, bias=True),
        cnn_case(15, "ce", [1, 2, 3], 5, 3, channels=[], **average, bias=True),
        tied_maxima_case(24),
    ]
    return {"made_by": MADE_BY, "torch": torch.__version__, "cases": cases}


def main() -> None:
    """Writes the file that the command line names."""
    parser = argparse.ArgumentParser(
        description="Makes the float64 reference numbers of convolutional networks and transformers"
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
