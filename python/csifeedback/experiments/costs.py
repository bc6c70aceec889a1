#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Operations and parameters of the systems in Csi-L2O's tables, all of them and as the paper counts.

The paper counts with thop, whose "FLOPs" are the multiply-adds of the modules that PyTorch calls: dense
layers, convolutions, normalization (four for each value). What a program computes by other
functions is not counted: the projections and products of attention, products by W in a loop of its own.
Its rows of iterative decoders fit when a transform is counted for one delay row, and an LSTM for one
element in one iteration.
"""

from typing import Any, Callable, Dict, Optional, Tuple

from .. import evaluation

NA, NT = 32, 32
SIZE = 2 * NA * NT
#: iterations of ISTA, MS4L2O and Csi-L2O in the paper, which its Table III shows
ITERATIONS = 10
#: of the paper's LSTM: what it takes of each element, hidden size, layers, heads
LSTM_INPUTS, HIDDEN, LAYERS, HEADS = 2, 20, 2, 5

ENCODERS = {"CsiNet": "csinet", "TransNet": "transnet", "TiLISTA": "tilista"}
MULTI_RATE = {"SM-CsiNet+": "sm-csinet-plus", "PM-CsiNet+": "pm-csinet-plus"}
#: code sizes of their paper, 1/32 to 1/4
MULTI_RATE_SIZES = (64, 128, 256, 512)


def lstm_multiply_adds() -> int:
    """Of the LSTM, the dense layer behind it and the heads, for one element and one iteration."""
    cells = sum(4 * HIDDEN * (inputs + HIDDEN) for inputs in
                [LSTM_INPUTS] + [HIDDEN] * (LAYERS - 1))
    return cells + HIDDEN * HIDDEN + HIDDEN * HEADS


def lstm_as_thop() -> int:
    """The same as thop counts it, with biases and the products of the gates."""
    cells = sum(4 * ((inputs + HIDDEN) * HIDDEN + 3 * HIDDEN) + 4 * HIDDEN for inputs in
                [LSTM_INPUTS] + [HIDDEN] * (LAYERS - 1))
    return cells + HIDDEN * HIDDEN + HIDDEN * HEADS


def lstm_parameters() -> int:
    """Of the LSTM as PyTorch has it, with two biases, the dense layer and the heads."""
    cells = sum(4 * HIDDEN * (inputs + HIDDEN + 2) for inputs in
                [LSTM_INPUTS] + [HIDDEN] * (LAYERS - 1))
    return cells + HIDDEN * (HIDDEN + 1) + HEADS * (HIDDEN + 1)


def make_network(codec: str, *code_sizes: int) -> Any:
    """An untrained network, whose counts are those of a trained one."""
    try:
        import torch
    except ImportError:
        raise ValueError("the operations of networks are counted with PyTorch, which is not "
                         "installed: apt install python3-torch libopenblas0-pthread") from None
    from ..training import network
    state = torch.get_rng_state()
    try:
        return network.make(codec, NA, NT, code_sizes).eval()
    finally:
        torch.set_rng_state(state)


def as_thop(network: Any, call: Callable[[Any], Any], biases: bool) -> Tuple[int, int]:
    """(operations, parameters) that thop counts in call(network).

    biases: whether those of the modules count as parameters, and normalization counts. The paper's
    numbers of CsiNet are without, those of TransNet and of CsiNet+ with.
    """
    import torch
    from torch import nn

    total = 0
    parameters: Dict[int, int] = {}

    def count(module: Any, inputs: Any, output: Any) -> None:
        nonlocal total
        if isinstance(module, nn.Linear):
            total += output.numel() * module.in_features
        elif isinstance(module, nn.Conv2d):
            total += output.shape[2] * output.shape[3] * module.weight.numel()
        elif isinstance(module, (nn.LayerNorm, nn.BatchNorm2d)):
            total += 4 * output.numel()
        parameters.update((id(p), p.numel()) for n, p in module.named_parameters(recurse=False)
                          if biases or n == "weight")

    kinds = (nn.Linear, nn.Conv2d) + ((nn.LayerNorm, nn.BatchNorm2d) if biases else ())
    inside = {m for a in network.modules() if type(a).__name__ == "Attention"
              for m in a.modules()}
    hooks = [m.register_forward_hook(count) for m in network.modules()
             if isinstance(m, kinds) and m not in inside]
    try:
        with torch.no_grad():
            call(network)
    finally:
        for hook in hooks:
            hook.remove()
    return total, sum(parameters.values())


def _network(method: str, code_size: int) -> Dict[str, int]:
    import torch

    network = make_network(ENCODERS[method], code_size)
    operations = network.multiply_adds(code_size)
    h, s = torch.zeros(1, SIZE), torch.zeros(1, code_size)
    of = {name: value.numel() for name, value in network.named_parameters()}
    product = SIZE * code_size
    if method == "TiLISTA":  # products by W are not those of modules
        row = 2 * network.sparse.weight.numel()
        encoder = (product, product)
        decoder = (network.layers * (2 * product + row), row + 2 * network.layers)
        encoder_all, decoder_all = product, sum(of.values()) - product
    else:
        biases = method == "TransNet"
        encoder = as_thop(network, lambda n: n.encode(h, 0), biases)
        decoder = as_thop(network, lambda n: n.decode(s), biases)
        if method == "TransNet":
            # Its authors' decoder has the dense layer of the encoder too, which the tables count.
            decoder = (decoder[0] + product, decoder[1] + product + code_size)
        encoder_all = sum(n for name, n in of.items() if name.startswith("encoder"))
        decoder_all = sum(of.values()) - encoder_all
    return {"encoder": encoder[0], "encoder_all": operations["encoder"],
            "encoder_parameters": encoder[1], "encoder_parameters_all": encoder_all,
            "decoder": decoder[0], "decoder_all": operations["decoder"],
            "decoder_parameters": decoder[1], "decoder_parameters_all": decoder_all}


def _l2o(spec: str, code_size: int) -> Dict[str, int]:
    codec = evaluation.Codec(spec)
    encoder, parts = codec.operations(code_size)
    product = SIZE * code_size
    arrays = l2o_arrays(codec)
    transform = sum(n for name, n in arrays.items() if name.startswith("transform"))
    lstm = sum(n for name, n in arrays.items() if name.startswith(("lstm", "mlp", "heads")))
    # A file has convolutions for each of its ratios.
    convolutions = sum(n for name, n in arrays.items() if name.startswith("phase_")) // arrays["rates"]
    return {"encoder": product, "encoder_all": sum(encoder.values()),
            "encoder_parameters": product, "encoder_parameters_all": product // 2,
            "decoder": parts["gradients"] + parts["transforms"] // NA + parts.get("convolutions", 0)
            + (lstm_as_thop() if parts["lstm"] else 0), "decoder_all": sum(parts.values()),
            "decoder_parameters": transform + lstm + convolutions,
            "decoder_parameters_all": sum(arrays.values())}


def l2o_arrays(codec: Any) -> Dict[str, int]:
    """Numbers of values in the arrays of a profile of Csi-L2O, by name; W is the encoder's."""
    profile = codec.all_options()["profile"]
    prefix = f"l2o/{profile}/"
    from ..model import read_model
    return {name[len(prefix):]: value.size for name, value in read_model(
        codec.model.path).arrays.items() if name.startswith(prefix)}


def costs(method: str, ratio: int, spec: Optional[str] = None) -> Dict[str, int]:
    """Multiply-adds and parameters of a method at 1/ratio: as the paper counts them, and, with _all
    behind their name, all.

    spec: of the model, for Csi-L2O and ISTA; nothing else of it counts.
    """
    code_size = SIZE // ratio
    product = SIZE * code_size
    if method == "ISTA":
        encoder, decoder = evaluation.Codec(str(spec)).operations(code_size)
        return {"encoder": product, "encoder_all": sum(encoder.values()),
                "encoder_parameters": 0, "encoder_parameters_all": 0,
                "decoder": 2 * ITERATIONS * product, "decoder_all": sum(decoder.values()),
                "decoder_parameters": 0, "decoder_parameters_all": 0}
    if method == "MS4L2O":
        gradients = 4 * ITERATIONS * product
        return {"encoder": product, "encoder_all": product,
                "encoder_parameters": 0, "encoder_parameters_all": 0,
                "decoder": gradients + lstm_as_thop(),
                "decoder_all": gradients + ITERATIONS * SIZE * lstm_multiply_adds(),
                "decoder_parameters": lstm_parameters(),
                "decoder_parameters_all": lstm_parameters()}
    return _l2o(spec, code_size) if spec else _network(method, code_size)


def multi_rate(method: str, code_sizes: Tuple[int, ...] = MULTI_RATE_SIZES) -> Dict[str, int]:
    """The same of the encoder of a codec with several ratios, which serves them all at once."""
    import torch

    network = make_network(MULTI_RATE[method], *code_sizes)
    h = torch.zeros(1, SIZE)

    def encode(size: int) -> Callable[[Any], Any]:
        return lambda n: n.encode(h, size)

    operations, parameters = max(as_thop(network, encode(m), True) for m in network.code_sizes)
    everything = sum(value.numel() for name, value in network.named_parameters()
                     if not name.startswith("decoders"))
    return {"encoder": operations,
            "encoder_all": max(network.multiply_adds(m)["encoder"] for m in network.code_sizes),
            "encoder_parameters": parameters, "encoder_parameters_all": everything}
