"""Small files as numpy and PyTorch write them, with numbers from fixed formulas.

    files.py FOLDER    what tests/data/files was made by
"""

import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file


def arrays(folder: Path) -> None:
    images = np.arange(24, dtype=np.uint8).reshape(4, 2, 3) * 10
    labels = np.array([3, 9, 3, 5], dtype=np.int64)
    tests = {"x_test": images[:1], "y_test": labels[:1]}
    np.savez_compressed(folder / "images.npz", x_train=images, y_train=labels, **tests)
    many = np.arange(400, dtype=np.int16).reshape(100, 4) % 11
    np.savez_compressed(folder / "many.npz", x=many, y=np.arange(100, dtype=np.uint8) % 3)
    colours = (np.arange(24, dtype=np.uint8) * 10).reshape(2, 2, 2, 3)
    np.savez(folder / "colours.npz", images=colours, labels=np.array([[1], [0]], dtype=np.uint8))
    table = np.column_stack([np.arange(5) / 4, np.arange(5) - 2.5, np.arange(5) % 2])
    np.save(folder / "columns.npy", np.asfortranarray(table.astype(np.float32)))
    np.save(folder / "x.npy", (np.arange(12).reshape(4, 3) / 8).astype(">f8"))
    np.save(folder / "y.npy", np.arange(8, dtype=np.int32).reshape(4, 2) - 3)


def weights(folder: Path) -> None:
    layers = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh(), torch.nn.Linear(3, 2))
    with torch.no_grad():
        for number, parameter in enumerate(layers.parameters()):
            values = torch.arange(parameter.numel(), dtype=torch.float32)
            parameter.copy_((values / 8 - number).reshape(parameter.shape))
    state = layers.state_dict()
    own = {name.replace("2.", "1."): tensor for name, tensor in state.items()}
    own = {f"layers.{name}": tensor for name, tensor in own.items()}
    save_file(state, folder / "sequential.safetensors")
    save_file({f"net.{name}": tensor for name, tensor in state.items()}, folder / "net.safetensors")
    wrapped = {f"module._orig_mod.{name}": tensor for name, tensor in own.items()}
    save_file(wrapped, folder / "wrapped.safetensors")
    save_file({n: t.half() for n, t in own.items()}, folder / "half.safetensors")
    save_file({n: t.bfloat16() for n, t in own.items()}, folder / "bfloat.safetensors")
    save_file({n: t.int() for n, t in own.items()}, folder / "whole.safetensors")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    arrays(Path(sys.argv[1]))
    weights(Path(sys.argv[1]))
