"""Weights from PyTorch to sharpscope and back.

    weights.py write OUT.safetensors   what tests/data/weights.safetensors was made by
    weights.py check RUN_DIR           loads RUN_DIR/init.safetensors of a run of
                                       {"kind": "mlp", "hidden": [3]} on two features and two
                                       classes into torch.nn modules, and compares with `write`
"""

import sys

import torch
from safetensors.torch import load_file, save_file


def model() -> torch.nn.Module:
    layers = torch.nn.ModuleList([torch.nn.Linear(2, 3), torch.nn.Linear(3, 2)])
    return torch.nn.ModuleDict({"layers": layers})


def written() -> torch.nn.Module:
    made = model()
    with torch.no_grad():
        for number, parameter in enumerate(made.parameters()):
            values = torch.arange(parameter.numel(), dtype=torch.float32)
            parameter.copy_((values / 8 - number).reshape(parameter.shape))
    return made


def main() -> None:
    match sys.argv[1:]:
        case ["write", path]:
            save_file(written().state_dict(), path)
        case ["check", run]:
            loaded = model()
            loaded.load_state_dict(load_file(f"{run}/init.safetensors"))
            for a, b in zip(loaded.parameters(), written().parameters(), strict=True):
                assert torch.equal(a, b)
            print("equal")
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
