"""The networks that bench.py times, on the data that sharpscope has, in float32.

Their architectures are read from `models/`. Weights are drawn as PyTorch draws them. Images are
the first of their dataset; text is random tokens, as many different ones as the play has.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import nn

from models import ConvolutionalNetwork, LanguageModel, Spec
from reference import CLASSES, REPOSITORY, Problem, load_digits

IMAGES = {"digits": [1, 8, 8], "fashion-mnist": [1, 28, 28]}
VOCABULARY = 66
BRIGHTEST = 255.0
# Sizes of the headers of Fashion-MNIST's two files.
IMAGES_HEADER, LABELS_HEADER = 16, 8


@dataclass(frozen=True)
class Row:
    """A network on so many samples, and the number of parameters that sharpscope's has."""

    name: str
    spec: Spec
    dataset: str
    samples: int
    loss: str
    parameters: int

    def problem(self) -> Problem:
        """The same network, data and loss each time; asserts the number of parameters."""
        torch.manual_seed(0)
        if self.spec["kind"] == "transformer":
            problem = self.language_problem()
        else:
            problem = self.image_problem()
        counted = f"{self.name}: {problem.size} parameters, not {self.parameters}"
        assert problem.size == self.parameters, counted
        return problem

    def image_problem(self) -> Problem:
        """A perceptron or a convolutional network on images."""
        inputs, labels = load_images(self.dataset)
        inputs, labels = inputs[: self.samples], labels[: self.samples]
        if self.spec["kind"] == "cnn":
            image = IMAGES[self.dataset]
            module = ConvolutionalNetwork(self.spec, image, CLASSES)
            return ModuleProblem(module, inputs.view(-1, *image), labels, self.loss)
        widths = [inputs.shape[1], *self.spec["hidden"], CLASSES]
        parameters: list[torch.Tensor] = []
        for fan_in, fan_out in zip(widths, widths[1:]):
            layer = nn.Linear(fan_in, fan_out)
            parameters += [layer.weight, layer.bias]
        return Problem(parameters, inputs, labels, self.spec["activation"], self.loss)

    def language_problem(self) -> Problem:
        """A transformer on windows of text, one beside the other."""
        context = self.spec["context"]
        tokens = torch.randint(VOCABULARY, (self.samples * context + 1,))
        module = LanguageModel(self.spec, VOCABULARY)
        return ModuleProblem(module, tokens[:-1].view(-1, context), tokens[1:], self.loss)


class ModuleProblem(Problem):
    """A module of torch.nn in the place of a perceptron."""

    def __init__(
        self, module: nn.Module, inputs: torch.Tensor, labels: torch.Tensor, loss: str
    ) -> None:
        super().__init__([], inputs, labels, "identity", loss)
        self.module = module
        self.parameters = list(module.parameters())

    def forward(
        self, inputs: torch.Tensor, record: list[torch.Tensor] | None = None
    ) -> torch.Tensor:
        """The module's outputs."""
        return self.module(inputs)


@cache
def load_images(dataset: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Pixels between 0 and 1, an image a row, and labels, in file order."""
    if dataset == "digits":
        return load_digits(torch.float32)
    name = f"{dataset}-t10k-{{}}-ubyte.gz"
    pixels = load_bytes(name.format("images-idx3"), IMAGES_HEADER)
    labels = load_bytes(name.format("labels-idx1"), LABELS_HEADER)
    inputs = torch.from_numpy(pixels.reshape(len(labels), -1)).float() / BRIGHTEST
    return inputs, torch.from_numpy(labels).long()


def load_bytes(name: str, header: int) -> np.ndarray:
    """What follows the header of a packed file of bytes."""
    content = gzip.decompress((REPOSITORY / "datasets" / name).read_bytes())
    return np.frombuffer(bytearray(content), dtype=np.uint8, offset=header)


def model(name: str) -> Spec:
    """An architecture that comes with sharpscope."""
    return json.loads((REPOSITORY / "models" / f"{name}.json").read_text(encoding="utf-8"))


def tanh_row(hidden: list[int], parameters: int) -> Row:
    """A tanh network of these widths on 1,000 digits."""
    name = "x".join(str(width) for width in hidden)
    spec = {"kind": "mlp", "hidden": hidden, "activation": "tanh"}
    return Row(name, spec, "digits", 1000, "mse", parameters)


# Those that are solved for eigenvalues too, and the ones whose spectral density is taken.
TANH_ROWS = [
    tanh_row([64, 64], 8_970),
    tanh_row([128, 128], 26_122),
    tanh_row([256, 256], 85_002),
    tanh_row([512, 512, 256], 429_834),
    tanh_row([768, 640, 160], 646_250),
]
DENSITY_ROWS = [TANH_ROWS[0], TANH_ROWS[2]]
OTHER_ROWS = [
    Row(name, model(name), dataset, samples, "ce", parameters)
    for name, dataset, samples, parameters in [
        ("mlp", "digits", 1000, 8_970),
        ("mlp-relu", "digits", 1000, 8_970),
        ("mlp-gelu", "digits", 1000, 8_970),
        ("fc-tanh", "fashion-mnist", 1000, 199_210),
        ("cnn-relu", "digits", 200, 10_858),
        ("cnn-tanh", "fashion-mnist", 60, 25_258),
        ("transformer-tiny", "text", 32, 18_016),
        ("transformer-tiny", "text", 200, 18_016),
    ]
]
